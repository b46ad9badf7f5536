"""Keeps one host alive, from the run process: sees its end, says why, puts the next in its place.

One host serves; one spare stands by with its imports done, so that a killed host is replaced in the
time that it takes to open the store. The order is: the end is seen (pidfd), it has ended for
certain (the OS has released its store's lock), the spare starts, a new spare is made.

Ends of the loop, each an `Ending`: asked to stop and drained; a host says that starting is useless;
`DEATHS_MAX` hosts died within `DEATHS_WITHIN_S`; Ray's own processes ended. Everything runs on one
event loop of the main thread.
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import functools
import os
import signal
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, Literal, TypeVar

import msgspec

from actorkalix_cluster.rayhost import launch
from actorkalix_cluster.rayhost.contract import HostSpec, NotStarted, StartReply
from actorkalix_cluster.rayhost.host_actor import CALLS_MAX, HostActor, last_words
from actorkalix_cluster.rayhost.launch import NAMESPACE, LocalRay
from actorkalix_cluster.rayhost.sockets import Handover, Peer

T = TypeVar("T")

DEATHS_MAX = 5
DEATHS_WITHIN_S = 60.0
PREPARE_S_MAX = 60.0  # imports of a service, with large libraries on a cold disk
STOP_S_MAX = 5.0  # beyond the grace: closing what is open


class Plan(msgspec.Struct, frozen=True):
    """What to keep alive.

    Attributes:
        name: of the actors, with a number behind it.
        factory, config: see `HostSpec`.
        grace_s: for draining, seconds.
        unwanted_paths: see `HostSpec`.
    """

    name: str
    factory: str
    config: bytes
    grace_s: float
    unwanted_paths: tuple[str, ...] = ()


class HostServes(msgspec.Struct, frozen=True):
    """A host serves.

    Attributes:
        pid: of its process.
        facts: that it gave.
        away_s: since the host before it was seen to have ended; 0 for the first one.
    """

    pid: int
    facts: bytes
    away_s: float


class HostDied(msgspec.Struct, frozen=True):
    """A host ended unasked: its process id, the reason, and how many did lately."""

    pid: int
    reason: str
    deaths: int


class HostDrains(msgspec.Struct, frozen=True):
    """The host was asked to stop and finishes what is in flight."""

    pid: int


HostEvent = HostServes | HostDied | HostDrains


class Ending(msgspec.Struct, frozen=True):
    """Why nothing is kept alive any more.

    Attributes:
        cause: `stopped` as asked and drained; `cut` as asked, without the rest of the drain;
            `refused` by the host, for a reason that stays; `dying` again and again; `ray` ended.
        message: for the user; "" when it stopped as asked.
        number: of the error's page, where the host gave one.
    """

    cause: Literal["stopped", "cut", "refused", "dying", "ray"]
    message: str = ""
    number: str = ""


class Deaths:
    """How often lately."""

    def __init__(self) -> None:
        self._at: collections.deque[float] = collections.deque(maxlen=DEATHS_MAX)

    def add(self, now_s: float) -> int:
        """Count one; returns how many there were within `DEATHS_WITHIN_S`."""
        self._at.append(now_s)
        return sum(now_s - at <= DEATHS_WITHIN_S for at in self._at)


class Host:
    """A host's actor and process, from the outside."""

    def __init__(self, actor: Any, peer: Peer) -> None:
        self.actor = actor
        self.pid = peer.pid
        self._pidfd = peer.pidfd
        self.ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._pidfd, self._on_end)

    def _on_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        self.ended.set()

    async def start(self) -> StartReply | None:
        """Let it serve; None when it ended meanwhile."""
        answer = await self._call(self.actor.start.remote())
        return None if answer is None else msgspec.msgpack.decode(answer, type=StartReply)

    async def stop(self, grace_s: float) -> bool:
        """Let it drain; False when it ended before it had, or its time was over."""
        try:
            async with asyncio.timeout(grace_s + STOP_S_MAX):
                return await self._call(self.actor.stop.remote(grace_s)) is not None
        except TimeoutError:
            return False

    async def kill(self) -> None:
        """End it now; returns when the process is gone and what it had locked is free."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        await self.ended.wait()
        os.close(self._pidfd)

    async def _call(self, ref: Any) -> bytes | None:
        """The answer, or None when the process ended first."""
        async with _running(_answer(ref)) as answer, _running(self.ended.wait()) as ended:
            await asyncio.wait((answer, ended), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                return None
            try:
                return answer.result()
            except _actor_error():
                await self.ended.wait()  # Ray may know it before the kernel has told us
                return None


class Supervisor:
    """See the module.

    Args:
        local: where hosts are made.
        handover: gives them their sockets.
        plan: what they are.
        report: is told what happens, on the event loop; must not block.
    """

    def __init__(
        self, local: LocalRay, handover: Handover, plan: Plan, report: Callable[[HostEvent], None]
    ) -> None:
        self._local = local
        self._handover = handover
        self._plan = plan
        self._report = report
        self._deaths = Deaths()
        self._made = 0

    async def run(self, stop: asyncio.Event, cut: asyncio.Event) -> Ending:
        """Keep a host alive until there is a reason not to.

        Args:
            stop: set to drain and end.
            cut: set to end at once; what still runs ends with Ray.
        """
        async with (
            _running(self._handover.serve()) as handing,
            _running(self._local.ended()) as ray_ended,
            _running(self._serve(stop)) as serving,
            _running(cut.wait()) as cutting,
        ):
            await asyncio.wait(
                (handing, ray_ended, serving, cutting), return_when=asyncio.FIRST_COMPLETED
            )
            if handing.done():
                handing.result()
            if ray_ended.done():
                ended = f"Ray's {ray_ended.result()} process ended"
                return Ending("ray", f"{ended}; its logs are in {self._local.logs}")
            return Ending("cut") if cutting.done() else serving.result()

    async def _serve(self, stop: asyncio.Event) -> Ending:
        making = asyncio.ensure_future(self._make())
        away_since: float | None = None
        try:
            while True:
                host = await making
                if isinstance(host, Ending):
                    return host
                reply = await host.start()
                if isinstance(reply, NotStarted):
                    return Ending("refused", reply.message, reply.number)  # `_discard` kills it
                making = asyncio.ensure_future(self._make())  # the spare
                if reply is not None:
                    now = time.monotonic()
                    self._report(HostServes(host.pid, reply.facts, now - (away_since or now)))
                    if await _first(host.ended.wait(), stop.wait()) == 1:
                        return await self._drain(host)
                away_since = time.monotonic()
                ending = await self._bury(host)
                if ending is not None:
                    return ending
        finally:
            await _discard(making)

    async def _drain(self, host: Host) -> Ending:
        self._report(HostDrains(host.pid))
        drained = await host.stop(self._plan.grace_s)
        await host.kill()
        return Ending("stopped" if drained else "cut")

    async def _bury(self, host: Host) -> Ending | None:
        """Say that it died and why; an ending when it was one too many."""
        await host.kill()
        return self._died(host.pid, self._reason(host.pid))

    def _died(self, pid: int, reason: str) -> Ending | None:
        deaths = self._deaths.add(time.monotonic())
        self._report(HostDied(pid, reason, deaths))
        if deaths < DEATHS_MAX:
            return None
        within = f"{deaths} hosts died within {DEATHS_WITHIN_S:.0f} s"
        return Ending("dying", f"{within}; the last one: {reason}")

    def _reason(self, pid: int) -> str:
        words = last_words(self._local.scratch, pid)
        if not words.exists():
            return "it was killed or crashed"
        reason = words.read_text()
        words.unlink()
        return reason

    async def _make(self) -> Host | Ending:
        """A new host with its imports done; an ending when there is no use in trying again."""
        while True:
            ticket = self._handover.ticket()
            try:
                async with asyncio.timeout(PREPARE_S_MAX):
                    actor = await _aside(functools.partial(self._actor, ticket))
                    answer = await _answer(actor.prepare.remote())
            except _actor_error() as error:
                ending = self._died(0, f"it ended while it was made: {_cause(error)}")
                if ending is not None:
                    return ending
                continue
            except TimeoutError:
                return Ending("dying", f"a host was not ready within {PREPARE_S_MAX:.0f} s")
            finally:
                peer = self._handover.settle(ticket)
            reply: StartReply = msgspec.msgpack.decode(answer, type=StartReply)
            if isinstance(reply, NotStarted):
                return Ending("refused", reply.message, reply.number)
            assert peer is not None, "a host that is prepared has shown its ticket"
            host = Host(actor, peer)
            if not host.ended.is_set():
                return host

    def _actor(self, ticket: bytes) -> Any:
        plan = self._plan
        self._made += 1
        spec = HostSpec(
            plan.factory, plan.config, str(self._local.scratch), ticket, plan.unwanted_paths
        )
        options = (
            launch.module("ray")
            .remote(HostActor)
            .options(
                name=f"{plan.name}-{self._made}",
                namespace=NAMESPACE,
                lifetime="detached",
                num_cpus=0,
                max_restarts=0,
                max_task_retries=0,
                max_concurrency=CALLS_MAX,
            )
        )
        return options.remote(msgspec.msgpack.encode(spec))


async def _discard(making: asyncio.Future[Host | Ending]) -> None:
    """Kill the host that was made and does not serve: the spare, or one that would not start."""
    making.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        spare = await making
        if isinstance(spare, Host):
            await spare.kill()


async def _aside(work: Callable[[], T]) -> T:
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


async def _answer(ref: Any) -> bytes:
    """A Ray call's answer."""
    answer: bytes = await ref
    return answer


def _actor_error() -> type[Exception]:
    error: type[Exception] = launch.module("ray.exceptions").RayActorError
    return error


def _cause(error: Exception) -> str:
    """One line of Ray's many: the last of a traceback, the first of what else it says."""
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[-1 if getattr(error, "actor_init_failed", False) else 0]


@contextlib.asynccontextmanager
async def _running(work: Coroutine[Any, Any, T]) -> AsyncGenerator[asyncio.Task[T]]:
    """A task for the time of the block; cancelled behind it."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _first(*work: Coroutine[Any, Any, Any]) -> int:
    """Run all until the first is done; returns its index. An exception of that one is raised."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        first = next(index for index, task in enumerate(tasks) if task.done())
        tasks[first].result()
        return first
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
