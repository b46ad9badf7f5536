"""Actions as Ray tasks over HTTP: calls back, nesting, and a worker that is killed (AC-06)."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.running import Running

SERVICE = f"{Path(__file__).parent / 'tasks_service.py'}:service"
WAIT_S = 30.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    with Running(tmp_path_factory.mktemp("tasks") / "data", SERVICE) as run:
        yield run


def post(running: Running, path: str, **arguments: Any) -> httpx.Response:
    return httpx.post(f"{running.url}/{path}", json=arguments, timeout=WAIT_S)


def value(running: Running, path: str, **arguments: Any) -> Any:
    return post(running, path, **arguments).raise_for_status().json()


def pinned(running: Running, board: str) -> int:
    """The process that hangs there; asks until it has said so."""
    while not (pid := value(running, f"board/{board}/note")["pid"]):
        pass
    return int(pid)


@pytest.mark.parametrize("method", ["add", "add-plainly"])
def test_a_handler_in_a_task_calls_an_entity(running: Running, method: str) -> None:
    assert value(running, f"errand/{method}", board=method, amount=3) == 3
    assert value(running, f"errand/{method}", board=method, amount=4) == 7
    worker = value(running, "errand/pid")
    assert worker not in (running.process.pid, running.status()["hosts"][0]["pid"])


def test_under_a_key_the_calls_of_a_task_happen_once(running: Running) -> None:
    for _ in range(3):
        answer = httpx.post(
            f"{running.url}/errand/add",
            json={"board": "keyed", "amount": 5},
            headers={"Idempotency-Key": "once"},
            timeout=WAIT_S,
        )
        assert answer.json() == 5
    assert value(running, "board/keyed/note")["total"] == 5


def test_actions_may_call_actions(running: Running) -> None:
    assert value(running, "errand/nest", levels=2) > 0
    deep = post(running, "errand/nest", levels=20)
    assert deep.status_code == 508
    assert deep.json()["number"] == "AK2016"


def test_resources_are_those_of_the_worker(running: Running) -> None:
    assert value(running, "errand/made-in") != running.status()["hosts"][0]["pid"]


def test_a_worker_killed_in_a_call_is_said_and_the_next_call_works(running: Running) -> None:
    answers: list[httpx.Response] = []

    def call() -> None:
        answers.append(post(running, "errand/hang", board="killed"))

    calling = threading.Thread(target=call)
    calling.start()
    worker = pinned(running, "killed")
    assert Path(f"/proc/{worker}/cmdline").read_bytes().startswith(b"ray::")
    os.kill(worker, signal.SIGKILL)
    calling.join(WAIT_S)
    problem = answers[0].json()
    assert (answers[0].status_code, problem["number"]) == (504, "AK3101")
    assert problem["outcome"] == "unknown"
    assert "errand.hang was running when its worker process was killed" in problem["detail"]
    assert value(running, "errand/add", board="after", amount=1) == 1


def test_what_handlers_print_is_not_among_the_events(tmp_path: Path) -> None:
    running = Running(tmp_path / "data", SERVICE)
    with running:
        assert value(running, "errand/add-plainly", board="b", amount=1) == 1
    running.wait_for("stopped")  # it reads each line as JSON


def test_a_caller_that_goes_away_ends_its_handler(running: Running) -> None:
    for slot in range(len(os.sched_getaffinity(0))):
        board = f"gone-{slot}"
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{running.url}/errand/hang", json={"board": board}, timeout=2.0)
    assert value(running, "errand/pid"), "no slot is held by one of them"


def test_a_host_that_takes_over_has_tasks_again(running: Running) -> None:
    assert value(running, "errand/add", board="kept", amount=2) == 2
    os.kill(running.status()["hosts"][0]["pid"], signal.SIGKILL)
    assert value(running, "errand/add", board="kept", amount=2) == 4
