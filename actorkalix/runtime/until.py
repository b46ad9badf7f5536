"""A time limit by a clock that may be virtual; `asyncio.timeout` knows the loop's time alone."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from actorkalix_cluster.shardhost.clock import Clock, Handle


class Until:
    """A block that ends with TimeoutError when its time is over; for `with`, inside of a task.

    Args:
        clock: whose time it is.
        delay_ms: from now, 0 and up; None is without end.
    """

    __slots__ = ("_cancelling", "_clock", "_delay_ms", "_expired", "_handle", "_task")

    def __init__(self, clock: Clock, delay_ms: int | None) -> None:
        self._clock = clock
        self._delay_ms = delay_ms
        self._expired = False
        self._handle: Handle | None = None

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None, "only tasks wait"
        self._task = task
        self._cancelling = task.cancelling()
        if self._delay_ms is not None:
            self._handle = self._clock.call_later(self._delay_ms, self._expire)
        return self

    def _expire(self) -> None:
        self._expired = True
        self._task.cancel()

    def cancelled(self) -> bool:
        """Whether somebody has cancelled the task since the block began."""
        return self._task.cancelling() > self._cancelling

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._handle is not None:
            self._handle.cancel()
        if not self._expired:
            return
        ours = self._task.uncancel() <= self._cancelling  # nobody else cancels the task too
        if ours and kind is asyncio.CancelledError:
            raise TimeoutError from error
