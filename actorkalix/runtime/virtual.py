"""Virtual time, the clock of tests: it stands still until it is advanced; every run is the same."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable

START_MS = 1_700_000_000_000
ROUNDS = 64  # of the loop after each firing: a chain of callbacks without real I/O is shorter
ROUNDS_MAX = 100_000  # while somebody says that there is more to come


class VirtualHandle:
    """A call that is still to come."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], object]) -> None:
        self.call: Callable[[], object] | None = call

    def cancel(self) -> None:
        """It does not come."""
        self.call = None


class VirtualClock:
    """Milliseconds since 1970, as far as it was advanced; a shard host's `Clock`."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self._now_ms = now_ms
        self._numbers = itertools.count()  # calls of one time come in the order of asking
        self._calls: list[tuple[int, int, VirtualHandle]] = []

    def now_ms(self) -> int:
        """The time."""
        return self._now_ms

    def call_later(self, delay_ms: int, call: Callable[[], object]) -> VirtualHandle:
        """Call once, when the clock was advanced by `delay_ms`."""
        handle = VirtualHandle(call)
        heapq.heappush(self._calls, (self._now_ms + max(0, delay_ms), next(self._numbers), handle))
        return handle

    async def advance(self, by_ms: int, busy: Callable[[], bool] = lambda: False) -> None:
        """Let time pass: calls come in order, each with all that follows from it.

        Args:
            by_ms: how much, 0 and up.
            busy: says that something is still under way that follows from the last call.
        """
        until_ms = self._now_ms + by_ms
        await settle(busy)
        while self._calls and self._calls[0][0] <= until_ms:
            at_ms, _, handle = heapq.heappop(self._calls)
            self._now_ms = max(self._now_ms, at_ms)
            if handle.call is not None:
                handle.call()
                await settle(busy)
        self._now_ms = max(self._now_ms, until_ms)  # a call may have advanced it farther


async def settle(busy: Callable[[], bool] = lambda: False) -> None:
    """Let the loop run until what was started has come to rest."""
    for done in range(ROUNDS_MAX):
        if done >= ROUNDS and not busy():
            return
        await asyncio.sleep(0)
