"""The life of a process that cannot see the end of its run: as long as somebody asks for it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import NoReturn

LEASE_S = 30.0  # six times the silence after which its keeper would have made another one
LOOK_EVERY_S = 1.0
EXIT_ORPHANED = 71  # as `process`


def hold_lease(
    heard_s: Callable[[], float],
    *,
    monotonic_s: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
    leave: Callable[[int], NoReturn] = os._exit,
) -> None:
    """Wait until nobody has asked for `LEASE_S`, then end this process; on a thread of its own.

    Args:
        heard_s: when somebody asked last.
        monotonic_s, sleep, leave: the clock, a pause, the end.
    """
    while monotonic_s() - heard_s() <= LEASE_S:
        sleep(LOOK_EVERY_S)
    leave(EXIT_ORPHANED)
