"""A process that nobody asks for a sign of life any more ends."""

from __future__ import annotations

from typing import NoReturn

import pytest

from actorkalix_cluster.rayhost.lease import EXIT_ORPHANED, LEASE_S, hold_lease


class Left(Exception):
    """In place of an end."""


def test_it_lives_as_long_as_somebody_asks() -> None:
    now_s, heard_s, slept = 0.0, 0.0, 0

    def sleep(seconds: float) -> None:
        nonlocal now_s, heard_s, slept
        now_s += seconds
        slept += 1
        if slept <= 100:
            heard_s = now_s

    def leave(code: int) -> NoReturn:
        assert code == EXIT_ORPHANED
        raise Left

    with pytest.raises(Left):
        hold_lease(lambda: heard_s, monotonic_s=lambda: now_s, sleep=sleep, leave=leave)
    assert heard_s == 100
    assert LEASE_S < now_s - heard_s <= LEASE_S + 2
