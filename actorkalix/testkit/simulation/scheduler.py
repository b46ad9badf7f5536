"""The seeded scheduler: what is ready, what is to come, and what runs next.

Theory of operation. Time stands still while anything is ready to run; when nothing is, it jumps to
the next timer, and all handles of that microsecond are ready, in the order of asking.

The scheduler is the adversary. asyncio promises that plain callbacks run in the order of
`call_soon`, and programs rely on it, so they do. It promises no order between tasks: which waiting
task takes its next step is drawn, and each turn draws between the oldest plain callback and all of
these. Without anything to draw from, all run in the order of asking, as in asyncio.

    put ──► ready: plain (a queue), steps (any order)
    put_at ──► timers (a heap by time, then by asking) ──► plain, when nothing else is ready
    turn: take from ready ──► run, in its own context ──► steps_taken + 1
                           └► put aside by a process that does not run, which is no step

Invariant: no timer in the heap is due while anything is ready, so nothing that is due is overtaken
by what is asked for later. Timers of dead processes, and those that were cancelled, do not move
time.
"""

from __future__ import annotations

import math
from asyncio import Task
from collections import deque
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from types import FunctionType
from typing import Literal

from .chance import Chance
from .processes import Handle

NEVER_US = 1 << 62
"""Timers farther away are as good as never; it is 146,000 years."""

_NO_STEPS = frozenset({FunctionType, partial})

Stop = Literal["stopped", "limit", "idle"]
"""Why no more turns are taken: as was wished, too many were, or nothing is left to run."""


class Scheduler:
    """Takes turns.

    Args:
        chance: what the next step is drawn from; None for the order of asking.
        failed: is told of each handle that raised, and what.

    Attributes:
        now_us: virtual time.
        steps_taken: number of handles that were run.
        stopping: take no more turns.
        last: the handle that was run last.
    """

    __slots__ = (
        "_asked",
        "_draw",
        "_failed",
        "_plain",
        "_steps",
        "_timers",
        "last",
        "now_us",
        "steps_taken",
        "stopping",
    )

    def __init__(
        self, chance: Chance | None, failed: Callable[[Handle, BaseException], object]
    ) -> None:
        self.now_us = 0
        self.steps_taken = 0
        self.stopping = False
        self.last: Handle | None = None
        self._draw = None if chance is None else chance.fraction
        self._failed = failed
        self._plain: deque[Handle] = deque()
        self._steps: list[Handle] = []
        self._timers: list[tuple[int, int, Handle]] = []
        self._asked = 0  # number of timers that there were

    def put(self, handle: Handle) -> None:
        """It is ready."""
        if (  # most callbacks are of these two kinds, and the question is asked of every call
            type(handle.callback) not in _NO_STEPS
            and self._draw is not None
            and _is_step(handle.callback)
        ):
            self._steps.append(handle)
        else:
            self._plain.append(handle)

    def put_at(self, at_us: int, handle: Handle) -> None:
        """It is ready at a time; now, if that is not in the future."""
        handle.at_us = at_us
        if at_us <= self.now_us:
            self._plain.append(handle)
        elif at_us < NEVER_US:
            self._asked += 1
            heappush(self._timers, (at_us, self._asked, handle))

    def put_back(self, handles: list[Handle]) -> None:
        """They were ready before all that is; in their order."""
        if self._draw is None:
            self._plain.extendleft(reversed(handles))
            return
        self._steps += [handle for handle in handles if _is_step(handle.callback)]
        self._plain.extendleft(
            handle for handle in reversed(handles) if not _is_step(handle.callback)
        )

    def clear(self) -> None:
        """Forget all of it."""
        self._timers.clear()
        self._steps.clear()
        self._plain.clear()
        self.last = None

    def take_turns(self, until: int) -> Stop:
        """Run handles, until `steps_taken` is as much."""
        plain, steps = self._plain, self._steps
        draw = self._draw or _zero
        pass_time = self._pass_time
        while self.steps_taken < until:
            if self.stopping:
                return "stopped"
            if steps:
                count = len(steps)
                at = int(draw() * (count + 1 if plain else count))
                if at == count:
                    handle = plain.popleft()
                else:  # the last one takes its place: their order means nothing
                    handle, steps[at] = steps[at], steps[-1]
                    steps.pop()
            elif plain:
                handle = plain.popleft()
            elif (due := pass_time()) is not None:
                handle = due
            else:
                return "idle"
            callback = handle.callback
            if callback is None:
                continue
            owner = handle.owner
            if not owner.runs:
                owner.aside.append(handle)
                continue
            self.steps_taken += 1
            self.last = handle
            try:
                handle.context.run(callback, *handle.args)
            except BaseException as error:
                if isinstance(error, SystemExit | KeyboardInterrupt):
                    raise
                self._failed(handle, error)
        return "stopped" if self.stopping else "limit"

    def _pass_time(self) -> Handle | None:
        """Jump to the next timer and give it; others of its time are ready. None: there is none."""
        timers = self._timers
        while timers:
            at_us, _, handle = heappop(timers)
            if handle.callback is None or not handle.owner.alive:
                continue
            self.now_us = at_us
            while timers and timers[0][0] == at_us:
                self._plain.append(heappop(timers)[2])
            return handle
        return None


def up_to_us(seconds: float) -> int:
    """Microseconds, rounded up: who waits until a time and then asks for it must not be early.

    What floating point has added to a whole number is taken off; no time above 0 is no time.
    """
    if seconds <= 0:
        return 0
    if seconds * 1e6 >= NEVER_US:
        return NEVER_US
    return max(1, math.ceil(seconds * 1e6 - 1e-3))


def _is_step(callback: Callable[..., object] | None) -> bool:
    """Whether it is a step of a task, its first or a later one, and not a request to one."""
    owner = getattr(callback, "__self__", None)
    return isinstance(owner, Task) and getattr(callback, "__name__", "") != "cancel"


def _zero() -> float:
    return 0.0
