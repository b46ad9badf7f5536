"""Dedicated entities on a real Ray: their processes die in every way, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.running import Running
from tests.ray.conftest import ends_within

SERVICE = "tests/e2e/dedicated_service.py:service"
WRITERS = 4
KILLS = 12
WAIT_S = 30.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    with Running(tmp_path_factory.mktemp("dedicated") / "data", service=SERVICE) as running:
        yield running


def ask(running: Running, path: str, **body: Any) -> httpx.Response:
    """A call over HTTP; one that was not executed because no process was there yet is sent again.

    Starts of processes take their time on a machine that is busy.
    """
    tries = 10
    while True:
        tries -= 1
        answer = httpx.post(f"{running.url}/{path}", json=body, timeout=WAIT_S)
        late = not answer.is_success and answer.json()["number"] in ("AK3009", "AK3005")
        if not late or not tries:
            return answer


def test_one_process_an_instance_none_before_it_is_asked_and_none_when_idle(
    running: Running,
) -> None:
    pids: list[int] = []
    for entity in ("book/p0", "book/p1"):
        pids.append(int(ask(running, f"{entity}/process").text))
        assert int(ask(running, f"{entity}/process").text) == pids[-1]
        mine = [one for one in running.status()["processes"] if one["pid"] == pids[-1]]
        assert [(one["component"], one["state"]) for one in mine] == [("book", "serving")]
        assert mine[0]["memory_bytes"] > 1_000_000 and mine[0]["node"]
    assert len({os.getpid(), *pids}) == 3
    metrics = httpx.get(f"{running.admin}/metrics", timeout=WAIT_S).text
    assert 'actorkalix_dedicated_starts_total{component="book",store="0"} 2.0' in metrics
    assert ends_within(pids, WAIT_S) == []  # they were idle


@pytest.mark.parametrize(
    "how, number", [("raise", "AK2010"), ("exit", "AK2010"), ("end", "AK3008"), ("hang", "AK3008")]
)
def test_a_handler_that_fails_costs_its_command_and_nothing_else(
    how: str, number: str, running: Running
) -> None:
    entity = f"book/{how}"
    assert ask(running, f"{entity}/note", number=1).text == "1"
    bad = ask(running, f"{entity}/misbehave", how=how).json()
    assert (bad["number"], bad["outcome"]) == (number, "not_executed")
    assert "Traceback" not in str(bad)
    assert ask(running, f"{entity}/note", number=2).text == "2"
    assert ask(running, f"{entity}/all").json() == [1, 2]


def test_states_of_many_megabytes_come_and_go(running: Running) -> None:
    for size in (9_900_000, 9_000_000):
        assert ask(running, "large/a/fill", size=size).is_success
        assert ask(running, "large/a/size").text == str(size)
    too_large = ask(running, "large/a/fill", size=10_000_001).json()
    assert too_large["number"] == "AK2014", too_large
    assert ask(running, "large/a/size").text == "9000000"


def test_no_room_is_503_with_the_advice_to_come_back(running: Running) -> None:
    answer = httpx.post(f"{running.url}/greedy/a/get", timeout=WAIT_S)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["number"] == "AK3009"


class Writer:
    """Notes numbers, one after the other, and keeps what came of each."""

    def __init__(self, url: str, entity: str) -> None:
        self._url = f"{url}/book/{entity}"
        self.stored: list[int] = []
        self.unknown: list[int] = []
        self.refused: list[int] = []
        self.over = False
        self.went_on = asyncio.Event()

    async def run(self, client: httpx.AsyncClient) -> None:
        """Until it is over."""
        number = 0
        while not self.over:
            number += 1
            body = {"number": number}
            answer = await client.post(f"{self._url}/note", json=body, timeout=WAIT_S)
            if answer.is_success:
                self.stored.append(number)
                self.went_on.set()
                continue
            problem = answer.json()
            assert problem["number"] in ("AK3008", "AK3009", "AK3005", "AK3101"), problem
            kept = self.unknown if problem["outcome"] == "unknown" else self.refused
            kept.append(number)

    async def check(self, client: httpx.AsyncClient) -> None:
        """Acknowledged is stored, once and in order; what was not executed is not there."""
        found: list[int] = (await client.post(f"{self._url}/all", timeout=WAIT_S)).json()
        assert found == sorted(set(found))
        assert set(self.stored) <= set(found) <= {*self.stored, *self.unknown}


async def kill_in_a_loop(running: Running) -> None:
    """Kill processes under load, each at another moment."""
    async with httpx.AsyncClient() as client:
        writers = [Writer(running.url, f"w{n}") for n in range(WRITERS)]
        async with asyncio.TaskGroup() as tasks:
            for writer in writers:
                tasks.create_task(writer.run(client))
            killed: set[int] = set()
            while len(killed) < KILLS:
                entity = len(killed) % WRITERS
                path = f"{running.url}/book/w{entity}/process"
                answer = await client.post(path, timeout=WAIT_S)
                if answer.is_success and (pid := int(answer.text)) not in killed:
                    os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
                    writers[entity].went_on.clear()
                    await writers[entity].went_on.wait()  # in a new process, by now
            for writer in writers:
                writer.over = True
        assert all(len(writer.stored) >= KILLS // WRITERS for writer in writers)
        for writer in writers:
            await writer.check(client)


@pytest.mark.timeout(300)
def test_processes_killed_in_a_loop_lose_nothing(running: Running) -> None:
    asyncio.run(kill_in_a_loop(running))


@pytest.mark.timeout(300)
def test_a_host_that_is_killed_leaves_no_process_behind_and_a_start_starts_none(
    tmp_path: Path,
) -> None:
    with Running(tmp_path / "data", service=SERVICE) as running:
        host = running.status()["hosts"][0]["pid"]
        assert ask(running, "book/a/note", number=1).text == "1"
        pid = int(ask(running, "book/a/process").text)
        os.kill(host, signal.SIGKILL)
        assert ends_within([pid], WAIT_S) == []
        running.wait_for("restarted")
        assert ask(running, "book/a/note", number=2).text == "2"
        again = int(ask(running, "book/a/process").text)
        assert running.stop() == 0
        assert ends_within([again], WAIT_S) == []
