"""Keeps a controller alive, from the run process: sees its end, says why, makes the next.

The controller keeps hosts alive (`fleet`), the run process keeps the controller alive, and Ray's
own processes cannot be replaced: without them the run ends. Each of the three may be killed or
stopped at any moment: hosts serve on without a controller, and whatever is left when the run
process ends is ended by `reaper`.

Ends, each an `Ending`: asked to stop and drained; hosts say that starting is useless; no store can
be served; the controller died `DEATHS_MAX` times within `DEATHS_WITHIN_S`; Ray's own processes
ended. Everything runs on one event loop of the main thread.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from actorkalix_cluster.rayhost.actors import Actor, Making, NotMade, made, running, wait_first
from actorkalix_cluster.rayhost.contract import Beat, CallRefused
from actorkalix_cluster.rayhost.events import Ending, FleetEvent, Numbered
from actorkalix_cluster.rayhost.memory import DEATHS_MAX, DEATHS_WITHIN_S
from actorkalix_cluster.rayhost.sockets import Handover


class ControllerServes(msgspec.Struct, frozen=True):
    """A controller runs: its process id, and how many there were before it in this run."""

    pid: int
    before: int


class ControllerDied(msgspec.Struct, frozen=True):
    """The controller ended unasked; hosts serve on, and another one takes its place."""

    pid: int
    reason: str
    deaths: int


RunEvent = FleetEvent | ControllerServes | ControllerDied


class RunningRay(Protocol):
    """The Ray that a run is on."""

    @property
    def logs(self) -> str: ...

    async def ended(self) -> str:
        """Wait until it has ended; returns which of its processes it was."""
        ...


class Plan(msgspec.Struct, frozen=True):
    """What to keep alive.

    Attributes:
        making: what all processes share.
        factory, config: of the controller.
        grace_s: for draining, seconds.
    """

    making: Making
    factory: str
    config: bytes
    grace_s: float


class Deaths:
    """How often lately."""

    def __init__(self) -> None:
        self._at: collections.deque[float] = collections.deque(maxlen=DEATHS_MAX)

    def add(self, now_s: float) -> int:
        """Count one; returns how many there were within `DEATHS_WITHIN_S`."""
        self._at.append(now_s)
        return sum(now_s - at <= DEATHS_WITHIN_S for at in self._at)


class Supervisor:
    """See the module.

    Args:
        ray: where processes are made.
        handover: gives them their sockets.
        plan: what they are.
        report: is told what happens, on the event loop; must not block.
    """

    def __init__(
        self,
        ray: RunningRay,
        handover: Handover,
        plan: Plan,
        report: Callable[[RunEvent], None],
    ) -> None:
        self._ray = ray
        self._handover = handover
        self._plan = plan
        self._report = report
        self._deaths = Deaths()
        self._made = 0

    async def run(self, stop: asyncio.Event, cut: asyncio.Event) -> Ending:
        """Keep a controller alive until there is a reason not to.

        Args:
            stop: set to drain and end.
            cut: set to end at once; what still runs ends with the run.
        """
        async with (
            running(self._handover.serve()) as handing,
            running(self._ray.ended()) as ray_ended,
            running(self._serve(stop)) as serving,
            running(cut.wait()) as cutting,
        ):
            await asyncio.wait(
                (handing, ray_ended, serving, cutting), return_when=asyncio.FIRST_COMPLETED
            )
            if handing.done():
                handing.result()
            if ray_ended.done():
                ended = f"Ray's {ray_ended.result()} process ended"
                return Ending("ray", f"{ended}; its logs are in {self._ray.logs}")
            return Ending("cut") if cutting.done() else serving.result()

    async def _serve(self, stop: asyncio.Event) -> Ending:
        while True:
            try:
                controller = await self._make()
                if controller is None:
                    continue
                ending = await self._follow(controller, stop)
            except CallRefused as refused:
                return Ending("refused", str(refused), refused.number)
            except _TooMany as error:
                return Ending("dying", str(error))
            if ending is not None:
                return ending

    async def _make(self) -> Actor | None:
        plan = self._plan
        self._made += 1
        try:
            return await made(plan.making, f"controller-{self._made}", plan.factory, plan.config)
        except NotMade as error:
            self._died(0, str(error))
            return None

    async def _follow(self, controller: Actor, stop: asyncio.Event) -> Ending | None:
        """Tell what a controller reports; None when it ended before it had said why."""
        async with (
            running(controller.watch(_nothing)),
            running(wait_first(controller.ended, controller.silent)) as lost,
            running(self._events(controller)) as events,
            running(self._ask_to_stop(controller, stop)),
        ):
            await asyncio.wait((lost, events), return_when=asyncio.FIRST_COMPLETED)
            if events.done():
                ending = events.result()
                if ending is not None:
                    await controller.kill()
                    return ending
            silent = controller.silent.is_set()
        await controller.kill()
        reason = "it gave no sign of life for 5 s and was killed" if silent else "it was killed"
        self._died(controller.pid, reason)
        return None

    async def _events(self, controller: Actor) -> Ending | None:
        if await controller.call("start") is None:
            return None
        self._report(ControllerServes(controller.pid, self._made - 1))
        after = 0
        while True:
            answer = await controller.call("events", msgspec.msgpack.encode(after))
            if answer is None:
                return None
            for numbered in msgspec.msgpack.decode(answer, type=list[Numbered]):
                after = numbered.number
                if isinstance(numbered.event, Ending):
                    return numbered.event
                self._report(numbered.event)

    async def _ask_to_stop(self, controller: Actor, stop: asyncio.Event) -> None:
        await stop.wait()
        with contextlib.suppress(CallRefused):  # the end, or its death, is seen by others
            await controller.call("stop", msgspec.msgpack.encode(self._plan.grace_s))

    def _died(self, pid: int, reason: str) -> None:
        deaths = self._deaths.add(time.monotonic())
        self._report(ControllerDied(pid, reason, deaths))
        if deaths >= DEATHS_MAX:
            raise _TooMany(
                f"{deaths} controllers died within {DEATHS_WITHIN_S:.0f} s; the last one: {reason}"
            )


class _TooMany(Exception):
    """Enough have died."""


def _nothing(actor: Actor, beat: Beat) -> None:
    """That it lives is all that counts."""
