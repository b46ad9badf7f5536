"""Tasks on a real Ray: order, nesting, deaths, callers that go away, options (architecture 16)."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

import actorkalix
import actorkalix_cluster
import actorkalix_storage
from actorkalix_cluster.rayhost import launch, reaper
from actorkalix_cluster.rayhost.batching import Answer, Lost
from actorkalix_cluster.rayhost.process import GROUPS
from actorkalix_cluster.rayhost.tasks import TaskOptions
from tests.ray.task_host import NAME, NAMESPACE, TaskHost

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Generator[Any]:
    """Ray, started as a run starts its own."""
    folder = tmp_path_factory.mktemp("tasks")
    token_file = folder / "token"
    token_file.touch(mode=0o600)
    token_file.write_text(secrets.token_hex(32))
    scratch = launch.scratch_folder(folder)
    packages = launch.python_path(actorkalix, actorkalix_cluster, actorkalix_storage)
    options = launch.RayOptions(scratch, token_file, cpus=2, python_path=(str(ROOT), *packages))
    with reaper.watching(scratch), launch.local_ray(options):
        yield launch.module("ray")
    shutil.rmtree(scratch, ignore_errors=True)


class Caller:
    """Calls the host's actor, and waits."""

    def __init__(self, ray: Any, handle: Any) -> None:
        self._ray = ray
        self._handle = handle

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._handle, name)
        return lambda *args, **kwargs: self._ray.get(method.remote(*args, **kwargs))


@pytest.fixture
def host(ray: Any, tmp_path: Path) -> Generator[Callable[..., Caller]]:
    """Makes a host with so many slots."""
    made: list[Any] = []

    def make(
        slots: int = 1,
        options: tuple[TaskOptions, ...] = (TaskOptions(),),
        interrupt_s: float = 3.0,
    ) -> Caller:
        handle = (
            ray.remote(concurrency_groups=GROUPS)(TaskHost)
            .options(num_cpus=0, name=NAME, namespace=NAMESPACE, max_concurrency=8)
            .remote()
        )
        made.append(handle)
        caller = Caller(ray, handle)
        caller.start(str(tmp_path), slots, list(options), interrupt_s)
        return caller

    yield make
    for handle in made:
        ray.kill(handle)


def test_answers_come_in_order_and_many_in_a_task(host: Callable[..., Caller]) -> None:
    caller = host()
    caller.submit(["first"])
    assert caller.outcome() == ("first", Answer(b"first"))
    works = [f"w{number}" for number in range(40)]
    caller.submit(works)
    outcomes = [caller.outcome() for _ in works]
    assert outcomes == [(work, Answer(work.encode())) for work in works]
    assert caller.sent() < 15, "the first goes alone, the others together"


def test_a_killed_worker_costs_what_it_had_started_alone(host: Callable[..., Caller]) -> None:
    caller = host()
    caller.submit(["warm", "gate g"])
    assert caller.outcome()[0] == "warm"
    _, pid = caller.place()
    caller.submit(["a", "hang h", "b", "c"])
    caller.open("g")
    assert caller.outcome()[0] == "gate g"
    assert caller.outcome() == ("a", Answer(b"a")), "while the next one hangs"
    assert caller.place() == ("h", pid), "Ray keeps its workers"
    os.kill(pid, signal.SIGKILL)
    told = dict(caller.outcome() for _ in range(3))
    lost = told.pop("hang h")
    assert lost == Lost(True, "its worker process was killed or crashed")
    assert told == {"b": Answer(b"b"), "c": Answer(b"c")}


def test_what_may_be_retried_is_run_again(host: Callable[..., Caller]) -> None:
    caller = host()
    caller.submit(["gate g"], retries=1)
    _, first = caller.place()
    os.kill(first, signal.SIGKILL)
    _, second = caller.place()
    assert second != first
    caller.open("g")
    assert caller.outcome() == ("gate g", Answer(b"gate g"))


def test_calls_four_deep_end_on_one_slot(host: Callable[..., Caller]) -> None:
    caller = host()
    caller.submit(["nest 4"])
    assert caller.outcome() == ("nest 4", Answer(b"nest 0"))


@pytest.mark.parametrize("work", ["hang h", "spin h"], ids=["coroutine", "function"])
def test_a_caller_that_goes_away_ends_what_runs_alone(
    host: Callable[..., Caller], work: str
) -> None:
    caller = host(interrupt_s=60.0)  # a busy machine may need more than the usual 3
    caller.submit([work])
    _, pid = caller.place()
    caller.submit(["dropped", "pid"])
    caller.drop("dropped")
    caller.drop(work)
    told = dict(caller.outcome() for _ in range(2))
    assert told == {work: Lost(True, "it was interrupted"), "pid": Answer(b"%d" % pid)}
    assert caller.silent()


def test_what_blocks_when_its_caller_goes_away_does_not_keep_its_slot(
    host: Callable[..., Caller],
) -> None:
    caller = host()
    caller.submit(["block b"])
    _, pid = caller.place()
    caller.submit(["pid"])
    caller.drop("block b")
    told = dict(caller.outcome() for _ in range(2))
    assert told["pid"] != Answer(b"%d" % pid)


@pytest.mark.skipif(" " in sys.executable, reason="Ray's shell stumbles over a blank in a path")
def test_options_reach_the_worker(host: Callable[..., Caller]) -> None:
    environment = '{"env_vars": {"SHOP": "open"}}'
    caller = host(options=(TaskOptions(), TaskOptions(num_cpus=1, runtime_env=environment)))
    caller.submit(["variable SHOP", "resources"], group=1)
    told = dict(caller.outcome() for _ in range(2))
    assert told["variable SHOP"] == Answer(b"open")
    assert "('CPU', 1.0)" in told["resources"].value.decode()
    caller.submit(["variable  SHOP"], group=0)
    assert caller.outcome()[1] == Answer(b"")


def test_without_slots_left_calls_wait_and_workers_are_as_many_as_slots(
    host: Callable[..., Caller],
) -> None:
    caller = host(slots=2)
    caller.submit(["gate a", "gate b", "pid"])
    pids = {caller.place()[1], caller.place()[1]}
    assert len(pids) == 2
    assert caller.silent()
    caller.open("a")
    told = dict(caller.outcome() for _ in range(2))
    assert int(told["pid"].value) in pids
    caller.open("b")
    assert caller.outcome() == ("gate b", Answer(b"gate b"))
