"""Workflows against a reference model: random schedules of all that may happen to one.

Number 5 of the ten hardest: results after timeout, terminate, suspend, delete; commands behind
running steps; pause timeout and resuming command; retry counters and crashes; the workflow's
timeout while nobody is there.
"""

from __future__ import annotations

import pytest

from tests.property.flow_schedule import Schedule

SCHEDULES = 4_000
MOVES = 60


@pytest.mark.parametrize("part", range(8))
def test_schedules(part: int) -> None:
    for seed in range(part, SCHEDULES, 8):
        schedule = Schedule(seed)
        try:
            schedule.play(MOVES)
        except AssertionError as error:
            played = " ".join(name.removeprefix("do_") for name in schedule.log)
            raise AssertionError(f"seed {seed}: {played}: {error}") from error
