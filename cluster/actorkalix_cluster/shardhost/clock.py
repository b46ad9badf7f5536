"""Time as a host sees it. Nothing in this package reads another clock, so tests can turn it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Handle(Protocol):
    """A call that is still to come."""

    def cancel(self) -> None:
        """It does not come; nothing happens when it has come already."""
        ...


class Clock(Protocol):
    """Tells the time and calls later, on the loop."""

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        ...

    def call_later(self, delay_ms: int, call: Callable[[], object]) -> Handle:
        """Call once, `delay_ms` from now (0 and up), never early."""
        ...


class RealClock:
    """The machine's clock and the running event loop."""

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def call_later(self, delay_ms: int, call: Callable[[], object]) -> Handle:
        """Call once, `delay_ms` from now."""
        return asyncio.get_running_loop().call_later(delay_ms / 1000, call)
