"""Deadlines for many short waits.

`asyncio.timeout` makes a loop timer for every use, which is a tenth of a small request. Requests
nearly never run out of time, so here each only enters a set, and one timer for all looks at the set
every 50 ms: a wait ends up to one tick late, never early. Semantics of cancellation are those of
`asyncio.timeout`.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

TICK_S = 0.05


class Deadlines:
    """Ends waits that are over, of one event loop."""

    def __init__(self) -> None:
        self._waiting: set[Within] = set()
        self._timer: asyncio.TimerHandle | None = None

    def within(self, seconds: float) -> Within:
        """A block that TimeoutError leaves when it waits longer; for `with`, inside of a task."""
        return Within(self, seconds)

    def enter(self, wait: Within) -> None:
        """Watches a wait."""
        self._waiting.add(wait)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def leave(self, wait: Within) -> None:
        """Watches it no more."""
        self._waiting.discard(wait)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for wait in [wait for wait in self._waiting if wait.until <= now]:
            self._waiting.discard(wait)
            wait.expire()
        self._timer = loop.call_later(TICK_S, self._tick) if self._waiting else None


class Within:
    """One wait."""

    __slots__ = ("_all", "_cancelling", "_expired", "_loop", "_task", "until")

    def __init__(self, waits: Deadlines, seconds: float) -> None:
        self._all = waits
        self._loop = asyncio.get_running_loop()
        self.until = self._loop.time() + seconds
        self._expired = False
        task = asyncio.current_task(self._loop)
        assert task is not None, "only tasks wait"
        self._task = task
        self._cancelling = task.cancelling()

    def __enter__(self) -> Self:
        self._all.enter(self)
        return self

    def extend(self, seconds: float) -> None:
        """Begins anew, with so much time."""
        self.until = self._loop.time() + seconds

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._all.leave(self)
        if not self._expired:
            return
        ours = self._task.uncancel() <= self._cancelling  # nobody else cancels the task too
        if ours and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        """Ends it."""
        self._expired = True
        self._task.cancel()
