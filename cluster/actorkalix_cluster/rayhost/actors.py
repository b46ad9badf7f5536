"""A process of the run from the outside: made, called, watched, killed.

Whoever makes a process watches it in two ways. Its *end* is seen through a pidfd, at once. That it
*stands still* (SIGSTOP, a hanging disk, a machine that swaps) is seen by signs of life that it
gives on a thread of its own: none for `SILENT_S_MAX`, and it counts as ended and is killed. Time in
which the watcher itself stood still does not count, or a laptop that wakes up would kill its hosts.

Nothing here is retried: a call is sent once, and either it is answered or the process has ended.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from actorkalix_cluster.rayhost import launch
from actorkalix_cluster.rayhost.contract import (
    Beat,
    CallRefused,
    ProcessSpec,
    Roll,
    value_of,
)
from actorkalix_cluster.rayhost.process import BEATS, CALLS_MAX, GROUPS, Process, last_words
from actorkalix_cluster.rayhost.sockets import Peer

T = TypeVar("T")

BEAT_EVERY_S = 0.25
SILENT_S_MAX = 5.0
PREPARE_S_MAX = 60.0  # imports of a service, with large libraries on a cold disk


class Making(msgspec.Struct, frozen=True):
    """What all processes of a run share.

    Attributes:
        prefix: of their actors' names.
        namespace: of Ray's, ours alone.
        scratch: the run's scratch folder.
        handover, ticket: see `ProcessSpec`.
        unwanted_paths: see `ProcessSpec`.
        environment: variables for processes that a Ray not started by us starts.
        node: id of the node that it is on; "" where the Ray is ours, and has no other.
    """

    prefix: str
    namespace: str
    scratch: str
    handover: str
    ticket: bytes
    unwanted_paths: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    node: str = ""


class NotMade(Exception):
    """A process ended, or hung, while it was made; another one may do better."""


class Actor:
    """A process and its Ray actor. Made by `made` and `found`, on the event loop.

    Attributes:
        name: of the actor.
        handle: the actor.
        pid: of the process.
        ended: it has ended.
        silent: it has given no sign of life for `SILENT_S_MAX`.
        last: its newest sign of life.
        clock_off_ms: how far its clock was ahead of ours then.
    """

    def __init__(self, name: str, handle: Any, peer: Peer) -> None:
        self.name = name
        self.handle = handle
        self.pid = peer.pid
        self.last = Beat(peer.pid)
        self.clock_off_ms = 0
        self.ended = asyncio.Event()
        self.silent = asyncio.Event()
        self._pidfd = peer.pidfd
        self._beat = handle.beat.options(concurrency_group=BEATS) if handle else None
        if self._pidfd >= 0:
            asyncio.get_running_loop().add_reader(self._pidfd, self._on_end)

    def _on_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        self.ended.set()

    @property
    def alive(self) -> bool:
        """It has not ended, as far as is known."""
        return not self.ended.is_set()

    async def call(self, method: str, arguments: bytes = b"") -> bytes | None:
        """Ask it; None when it ended before it had answered.

        Raises:
            CallRefused: what it said instead.
        """
        answer = await self._unless_ended(self.handle.call.remote(method, arguments))
        return None if answer is None else value_of(answer)

    async def enroll(self, roll: Roll, handles: dict[int, Any]) -> None:
        """Tell it who is there.

        Raises:
            CallRefused: it could not take note of it.
        """
        said = msgspec.msgpack.encode(roll)
        answer = await self._unless_ended(self.handle.enroll.remote(said, handles))
        if answer is not None:
            value_of(answer)

    async def watch(self, seen: Callable[[Actor, Beat], object]) -> None:
        """Tell of its signs of life until it ends or is silent; then one of the events is set."""
        silent_s = 0.0
        async with running(self.ended.wait()) as ended:
            while self.alive and silent_s < SILENT_S_MAX:
                answer = self._ask_for_beat()
                while not (answer.done() or ended.done()) and silent_s < SILENT_S_MAX:
                    silent_s += await _waited((answer, ended))
                if not answer.done():
                    answer.cancel()
                    continue
                if answer.exception() is None:
                    silent_s = 0.0
                    self.heard(answer.result())
                    seen(self, self.last)
                waited_s = await _waited((ended,))
                if answer.exception() is not None:  # Ray cannot reach it: that is silence as well
                    silent_s += waited_s
        if self.alive:
            self.silent.set()

    def _ask_for_beat(self) -> asyncio.Future[bytes]:
        assert self._beat is not None
        answer: asyncio.Future[bytes] = asyncio.wrap_future(self._beat.remote().future())
        answer.add_done_callback(_looked_at)
        return answer

    def heard(self, beat: bytes) -> None:
        """Take note of a sign of life."""
        self.last = msgspec.msgpack.decode(beat, type=Beat)
        self.clock_off_ms = self.last.time_ms - time.time_ns() // 1_000_000

    async def kill(self) -> None:
        """End it now; returns when the process is gone and what it had locked is free."""
        if self._pidfd < 0:
            return
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        await self.ended.wait()
        if self._pidfd >= 0:  # nobody else has waited beside us
            os.close(self._pidfd)
            self._pidfd = -1

    def reason(self, scratch: Path) -> str:
        """Why it ended, as far as it has said."""
        words = last_words(scratch, self.pid)
        if not words.exists():
            return "it was killed or crashed"
        reason = words.read_text()
        words.unlink(missing_ok=True)
        return reason

    async def _unless_ended(self, ref: Any) -> bytes | None:
        async with running(_answer(ref)) as answer, running(self.ended.wait()) as ended:
            await asyncio.wait((answer, ended), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                return None
            try:
                return answer.result()
            except actor_error():
                # Ray may know it before the kernel has told us; or Ray has lost it, and it is ours
                # to end what nobody can reach.
                if not await wait_first(self.ended, timeout_s=SILENT_S_MAX):
                    self.silent.set()
                return None


async def made(making: Making, name: str, factory: str, config: bytes, node: str = "") -> Actor:
    """A new process with its imports done.

    Args:
        making: what it shares with the others.
        name: of its actor, behind the prefix.
        factory, config: see `ProcessSpec`.
        node: id of another node than the run's, for it to be there.

    Raises:
        NotMade: it ended or hung on the way.
        CallRefused: it says why making it again would not help.
    """
    spec = ProcessSpec(
        f"{making.prefix}{name}", factory, config, making.scratch,
        making.handover, making.ticket, making.unwanted_paths, far=bool(node),
    )  # fmt: skip
    handle: Any = None
    try:
        async with asyncio.timeout(PREPARE_S_MAX):
            handle = await aside(lambda: _remote(making, spec, node or making.node))
            answer = await _answer(handle.prepare.remote())
    except actor_error() as error:
        raise NotMade(f"it ended while it was made: {_cause(error)}") from error
    except TimeoutError:
        if handle is not None:
            await aside(lambda: launch.module("ray").kill(handle))
        raise NotMade(f"it was not ready within {PREPARE_S_MAX:.0f} s") from None
    beat = msgspec.msgpack.decode(value_of(answer), type=Beat)
    actor = await _confirmed(making, spec.name, handle, beat)
    if actor is None:
        raise NotMade("it ended as soon as it was made")
    return actor


async def named(making: Making, name: str) -> Actor | None:
    """A process that somebody else has made, or was making when it ended; None when it is none.

    Args:
        making: what it shares with the others.
        name: of its actor, behind the prefix.
    """
    ray = launch.module("ray")
    try:
        async with asyncio.timeout(PREPARE_S_MAX):
            handle = await aside(
                lambda: ray.get_actor(f"{making.prefix}{name}", namespace=making.namespace)
            )
            answer = await _answer(handle.prepare.remote())
        beat = msgspec.msgpack.decode(value_of(answer), type=Beat)
    except (ValueError, TimeoutError, CallRefused, ray_error()):
        return None
    return await _confirmed(making, f"{making.prefix}{name}", handle, beat)


async def found(making: Making, name: str, peer: Peer) -> Actor | None:
    """A process that somebody else has made; None when it does not answer, and is killed."""
    actor = Actor(name, None, peer)
    try:
        async with asyncio.timeout(SILENT_S_MAX):
            ray = launch.module("ray")
            handle = await aside(lambda: ray.get_actor(name, namespace=making.namespace))
            again = await _confirmed(making, name, handle, Beat(peer.pid))
    except (ValueError, TimeoutError, ray_error()):
        again = None
    if again is None:
        await actor.kill()
        return None
    asyncio.get_running_loop().remove_reader(peer.pidfd)
    os.close(peer.pidfd)
    return again


async def _confirmed(making: Making, name: str, handle: Any, beat: Beat) -> Actor | None:
    """The actor with a pidfd that is certain to be its process's: it answers after the opening."""
    pid = beat.pid
    if making.node and beat.node not in ("", making.node):
        from actorkalix_cluster.rayhost.far import FarActor  # which is an actor, too

        return FarActor(name, handle, beat)
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return None
    try:
        answer = await _answer(handle.beat.options(concurrency_group=BEATS).remote())
    except actor_error():
        os.close(pidfd)
        return None
    if select.select([pidfd], [], [], 0)[0]:
        os.close(pidfd)
        return None
    actor = Actor(name, handle, Peer(pid, pidfd))
    actor.heard(answer)
    assert actor.last.pid == pid, (actor.last, pid)
    return actor


def on_node(node: str) -> dict[str, Any]:
    """Options of Ray with which something is on a node, and waits while that is away."""
    if not node:
        return {}
    strategies: Any = launch.module("ray.util.scheduling_strategies")
    there = strategies.NodeAffinitySchedulingStrategy(node, soft=False)
    return {"scheduling_strategy": there}


def _remote(making: Making, spec: ProcessSpec, node: str) -> Any:
    environment = {"env_vars": dict(making.environment)} if making.environment else None
    options = (
        launch.module("ray")
        .remote(concurrency_groups=GROUPS)(Process)
        .options(
            name=spec.name,
            namespace=making.namespace,
            lifetime="detached",
            num_cpus=0,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=CALLS_MAX,
            **({"runtime_env": environment} if environment else {}),
            **on_node(node),
        )
    )
    return options.remote(msgspec.msgpack.encode(spec))


async def aside(work: Callable[[], T]) -> T:
    """Work on a thread that nobody waits for: some calls of Ray never return without gcs."""
    future: concurrent.futures.Future[T] = concurrent.futures.Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001  whoever waits gets it
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return await asyncio.wrap_future(future)


async def _waited(futures: Iterable[asyncio.Future[Any]]) -> float:
    """Wait for the first, or a little; returns how long. More than that was our own standstill."""
    loop = asyncio.get_running_loop()
    since = loop.time()
    await asyncio.wait(futures, timeout=BEAT_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
    return min(loop.time() - since, 2 * BEAT_EVERY_S)


def _looked_at(answer: asyncio.Future[bytes]) -> None:
    """Nobody may be there to look at its exception any more."""
    if not answer.cancelled():
        answer.exception()


async def _answer(ref: Any) -> bytes:
    """A Ray call's answer."""
    answer: bytes = await ref
    return answer


def actor_error() -> type[Exception]:
    """What a call of an actor raises that has ended, or that Ray cannot reach."""
    error: type[Exception] = launch.module("ray.exceptions").RayActorError
    return error


def ray_error() -> type[Exception]:
    """What Ray itself raises, of all kinds."""
    error: type[Exception] = launch.module("ray.exceptions").RayError
    return error


def _cause(error: Exception) -> str:
    """One line of Ray's many: the last of a traceback, the first of what else it says."""
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[-1 if getattr(error, "actor_init_failed", False) else 0]


@contextlib.asynccontextmanager
async def running(work: Coroutine[Any, Any, T]) -> AsyncGenerator[asyncio.Task[T]]:
    """A task for the time of the block; cancelled behind it."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def wait_first(*events: asyncio.Event, timeout_s: float | None = None) -> bool:
    """Wait until one of the events is set; False when `timeout_s` passed before that."""
    if any(event.is_set() for event in events):
        return True
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        done, _ = await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)
    finally:
        for each in waits:
            each.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
