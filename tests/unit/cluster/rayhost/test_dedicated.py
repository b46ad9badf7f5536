"""Places in Ray actors, with Ray played: what is told when, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import concurrent.futures
import subprocess
import sys
from collections.abc import Callable, Coroutine, Generator
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from actorkalix.runtime.virtual import settle
from actorkalix_cluster.rayhost import dedicated
from actorkalix_cluster.rayhost.actors import Making
from actorkalix_cluster.rayhost.contract import Answered, Refused
from actorkalix_cluster.rayhost.dedicated import DedicatedPlaces
from actorkalix_cluster.rayhost.dedicated_process import Begun
from actorkalix_cluster.rayhost.tasks import TaskOptions

WAIT_S = 20.0


class Ref:
    """In place of a reference to an answer."""

    def __init__(self) -> None:
        self.told: concurrent.futures.Future[bytes] = concurrent.futures.Future()

    def future(self) -> concurrent.futures.Future[bytes]:
        """As Ray has it."""
        return self.told

    def __await__(self) -> Generator[Any, None, bytes]:
        return asyncio.wrap_future(self.told).__await__()


class Method:
    """In place of a method of an actor."""

    def __init__(self) -> None:
        self.calls: list[tuple[tuple[Any, ...], Ref]] = []

    def remote(self, *arguments: Any) -> Ref:
        """A call."""
        self.calls.append((arguments, Ref()))
        return self.calls[-1][1]


class Handle:
    """In place of an actor, with a process of its own."""

    def __init__(self) -> None:
        self.begin, self.here, self.ask = Method(), Method(), Method()
        self.process = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=True
        )

    def begun(self, node: str = "here") -> None:
        """It has begun."""
        value = msgspec.msgpack.encode(Begun(node, self.process.pid))
        self.begin.calls[0][1].told.set_result(msgspec.msgpack.encode(Answered(value)))


class Played:
    """Ray, as far as places know it."""

    def __init__(self) -> None:
        self.options: list[dict[str, Any]] = []
        self.made: list[Handle] = []
        self.killed: list[Handle] = []

    def module(self, _: str) -> Any:
        """Any of Ray's."""

        def strategy(node: str, **more: Any) -> tuple[str, dict[str, Any]]:
            return node, more

        context = SimpleNamespace(get_node_id=lambda: "here")
        return SimpleNamespace(
            get_runtime_context=lambda: context,
            remote=lambda cls: SimpleNamespace(options=self._options),
            kill=self.killed.append,
            NodeAffinitySchedulingStrategy=strategy,
        )

    def _options(self, **options: Any) -> Any:
        self.options.append(options)
        return SimpleNamespace(remote=self._remote)

    def _remote(self, spec: bytes) -> Handle:
        self.made.append(Handle())
        return self.made[-1]


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Generator[Played]:
    played = Played()
    monkeypatch.setattr(dedicated, "module", played.module)
    yield played
    for handle in played.made:
        handle.process.kill()
        handle.process.communicate()


class Opened:
    """A place, and what it has told."""

    def __init__(self, ray: Played, options: TaskOptions | None = None) -> None:
        making = Making("p/", "n", "scratch", "handover", b"", environment={"A": "ours", "B": "b"})
        self.ray = ray
        self.told: list[str | bytes] = []
        self.places = DedicatedPlaces(making, "m:f", b"", {"c": options or TaskOptions(1)})
        self.place = self.places.open("c", "e", lambda: self.told.append("ready"), self.told.append)

    async def until(self, fits: Callable[[], object]) -> None:
        """Let the loop run until it is so."""
        async with asyncio.timeout(WAIT_S):
            turned = asyncio.Event()
            while not fits():
                asyncio.get_running_loop().call_soon(turned.set)
                await turned.wait()
                turned.clear()

    async def ready(self) -> Handle:
        """It can be called."""
        await self.until(lambda: self.ray.made and self.ray.made[-1].begin.calls)
        handle = self.ray.made[-1]
        handle.begun()
        await self.until(lambda: handle.here.calls)
        handle.here.calls[0][1].told.set_result(b"")
        await self.until(lambda: self.told)
        assert self.told.pop() == "ready"
        return handle


def run(case: Coroutine[Any, Any, None]) -> None:
    asyncio.run(case)


def test_it_is_made_near_with_what_it_needs_and_answers(ray: Played) -> None:
    async def case() -> None:
        opened = Opened(ray, TaskOptions(0.5, 1, 1_000, '{"env_vars":{"A":"theirs"}}'))
        handle = await opened.ready()
        (options,) = ray.options
        assert options["scheduling_strategy"] == (
            "here",
            {"soft": True, "_spill_on_unavailable": True},
        )
        assert options["runtime_env"] == {"env_vars": {"A": "theirs", "B": "b"}}
        assert (options["num_cpus"], options["num_gpus"], options["memory"]) == (0.5, 1, 1_000)
        assert (options["max_restarts"], options["max_task_retries"]) == (0, 0)
        opened.place.call(b"1", opened.told.append)
        handle.ask.calls[0][1].told.set_result(b"one")
        await opened.until(lambda: opened.told)
        large = b"x" * (dedicated.INLINE_BYTES_MAX + 1)
        opened.place.call(large, opened.told.append)
        assert len(handle.ask.calls) == 1  # it is sent aside
        await opened.until(lambda: len(handle.ask.calls) == 2)
        handle.ask.calls[1][1].told.set_result(b"two")
        await opened.until(lambda: len(opened.told) == 2)
        assert opened.told == [b"one", b"two"]

    run(case())


def test_a_process_that_is_killed_is_told_at_once(ray: Played) -> None:
    async def case() -> None:
        opened = Opened(ray)
        handle = await opened.ready()
        opened.place.call(b"1", opened.told.append)
        handle.process.kill()
        await opened.until(lambda: opened.told)
        assert opened.told == ["it was killed or crashed"]
        handle.ask.calls[0][1].told.set_result(b"late")
        await opened.until(lambda: ray.killed)
        assert opened.told == ["it was killed or crashed"]

    run(case())


def test_what_ray_says_instead_of_an_answer_ends_it(ray: Played) -> None:
    async def case() -> None:
        opened = Opened(ray)
        handle = await opened.ready()
        opened.place.call(b"1", opened.told.append)
        error = type("OutOfMemoryError", (Exception,), {})
        handle.ask.calls[0][1].told.set_exception(error("many\nlines"))
        await opened.until(lambda: opened.told)
        assert opened.told == ["it was killed, for the machine was out of memory"]
        assert await asyncio.to_thread(handle.process.wait, WAIT_S) == -9

    run(case())


def test_a_process_that_cannot_begin_says_why(ray: Played) -> None:
    async def case() -> None:
        opened = Opened(ray)
        await opened.until(lambda: ray.made and ray.made[-1].begin.calls)
        answer = msgspec.msgpack.encode(Refused("AK1001", "no such module"))
        ray.made[0].begin.calls[0][1].told.set_result(answer)
        await opened.until(lambda: opened.told)
        assert opened.told == ["it could not be made: no such module"]
        await opened.until(lambda: ray.killed)

    run(case())


@pytest.mark.parametrize("late", [False, True])
def test_a_place_that_is_closed_kills_and_tells_nothing(ray: Played, late: bool) -> None:
    async def case() -> None:
        opened = Opened(ray)
        if late:
            await opened.ready()
            opened.place.call(b"1", opened.told.append)
        else:
            await settle()  # Ray is being asked
        opened.place.close()
        await opened.until(lambda: ray.killed)
        assert ray.killed == ray.made
        assert opened.told == []

    run(case())


@pytest.mark.parametrize("node", ["here", "there"])
def test_places_are_seen_while_they_are_there(ray: Played, node: str) -> None:
    async def case() -> None:
        opened = Opened(ray)
        assert [(one.pid, one.node) for one in opened.places.standing] == [(0, "")]
        await opened.until(lambda: ray.made and ray.made[-1].begin.calls)
        handle = ray.made[-1]
        handle.begun(node)
        await opened.until(lambda: handle.here.calls)
        handle.here.calls[0][1].told.set_result(b"")
        await opened.until(lambda: opened.told)
        [seen] = opened.places.standing
        assert (seen.component, seen.entity, seen.pid) == ("c", "e", handle.process.pid)
        assert seen.node == node
        assert (seen.usage.memory_bytes > 0) == (node == "here"), "of another node it is not known"
        tally = opened.places.tallies["c"]
        assert (tally.started, tally.deaths) == (1, 0)
        opened.place.call(b"1", opened.told.append)
        handle.ask.calls[0][1].told.set_exception(RuntimeError("gone"))
        await opened.until(lambda: len(opened.told) == 2)
        assert opened.places.standing == []
        assert (tally.started, tally.deaths) == (1, 1)
        opened.place.close()
        assert tally.over_cpu_s < 5, "it is counted once"

    run(case())
