"""Faults: what may be said of them, and when they are planned."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest

from actorkalix.testkit.simulation.chance import Chance
from actorkalix.testkit.simulation.faults import Fault, Faults, plan_faults

SECOND_US = 1_000_000
LASTING = ("pause", "partition", "full", "twin", "mistake")


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("drop", 1.5, "drop is 1.5; it is a probability from 0 to 1"),
        ("drop", True, "drop is True; it is a probability"),
        ("torn", "half", "torn is 'half'; it is a probability"),
        ("crash_at", {"after_write": -1}, "crash_at.after_write is -1; it is a probability"),
        ("crash_at", {"lunch": 1}, "no step 'lunch'; there are before_write, after_write, before_"),
        ("kill_every_ms", 9, "kill_every_ms is 9; it is 0 for never, or a mean interval of at"),
        ("kill_every_ms", -1, "kill_every_ms is -1; it is a whole number of ms from 0 to 3,600,0"),
        ("commit_min_us", 0.5, "commit_min_us is 0.5; it is a whole number of microseconds from"),
        ("pause_max_ms", 8_001, "pause_max_ms is 8001; it is a whole number of ms from 0 to 8,000"),
    ],
)
def test_what_cannot_be_is_named(name: str, value: Any, said: str) -> None:
    rates: dict[str, Any] = {name: value}
    with pytest.raises(ValueError) as caught:
        Faults(**rates)
    assert said in str(caught.value)


def test_presets_are_what_they_say() -> None:
    none, usual, harsh = Faults.none(), Faults.usual(), Faults.harsh()
    assert Faults() == usual == Faults.preset("usual")
    for name in ("drop", "commit_fails", "answer_lost"):
        assert getattr(none, name) == 0 < getattr(usual, name) < getattr(harsh, name)
    assert set(none.crash_at.values()) <= {0}
    assert harsh.crash_at["after_write"] > usual.crash_at["after_write"] > 0
    for preset in (none, usual, harsh):
        assert msgspec.json.decode(msgspec.json.encode(preset), type=Faults) == preset


def test_how_many_are_planned() -> None:
    def mean(rates: Faults) -> float:
        runs = [
            plan_faults(Chance(seed), rates, hosts=3, length_us=SECOND_US) for seed in range(200)
        ]
        return sum(map(len, runs)) / len(runs)

    assert mean(Faults.none()) == 0
    assert 3 < mean(Faults.usual()) < 6
    assert mean(Faults.harsh()) > 2.5 * mean(Faults.usual())


def test_what_is_planned_fits_the_run() -> None:
    kinds: set[str] = set()
    for seed in range(60):
        faults = plan_faults(Chance(seed), Faults.harsh(), hosts=3, length_us=SECOND_US)
        assert faults == plan_faults(Chance(seed), Faults.harsh(), hosts=3, length_us=SECOND_US)
        assert all(one.at_us <= other.at_us for one, other in pairwise(faults))
        for fault in faults:
            kinds.add(fault.kind)
            assert 0 <= fault.at_us < SECOND_US and 0 <= fault.host < 3
            assert (fault.length_us > 0) == (fault.kind in LASTING)
            assert fault.length_us <= 8 * SECOND_US or fault.kind != "pause"
            assert (fault.other in range(3)) == (fault.kind == "partition")
            assert fault.other != fault.host
    assert kinds == {"kill", "replace", "clock", *LASTING}


def test_no_pause_is_longer_than_the_longest() -> None:
    rates = Faults(pause_every_ms=10, pause_mean_ms=1_000, pause_max_ms=50)
    faults = plan_faults(Chance(1), rates, hosts=3, length_us=SECOND_US)
    lengths = [fault.length_us for fault in faults if fault.kind == "pause"]
    assert len(lengths) > 50
    assert max(lengths) == 50_000


def test_one_host_is_not_parted_from_itself() -> None:
    faults = plan_faults(Chance(1), Faults.harsh(), hosts=1, length_us=9 * SECOND_US)
    assert faults
    assert all(fault.kind != "partition" and fault.host == 0 for fault in faults)


def test_a_kind_that_is_left_out_moves_no_other() -> None:
    rates = Faults.harsh()
    without = msgspec.structs.replace(rates, kill_every_ms=0)
    all_of_them = plan_faults(Chance(3), rates, hosts=3, length_us=SECOND_US)
    others = tuple(fault for fault in all_of_them if fault.kind != "kill")
    assert len(others) < len(all_of_them)
    assert plan_faults(Chance(3), without, hosts=3, length_us=SECOND_US) == others


@pytest.mark.parametrize(
    "fault, text",
    [
        (
            Fault(at_us=1_203_400, kind="pause", host=1, length_us=840_000),
            "at 1,203.4 ms: pause host 1 for 840.0 ms",
        ),
        (Fault(at_us=0, kind="kill", host=2), "at 0.0 ms: kill host 2"),
        (Fault(at_us=0, kind="replace", host=2), "at 0.0 ms: replace host 2"),
        (
            Fault(at_us=0, kind="partition", host=0, other=2, length_us=1_500),
            "at 0.0 ms: part host 0 from host 2 for 1.5 ms",
        ),
        (
            Fault(at_us=0, kind="partition", host=0, other=2, length_us=1_500, amount=1),
            "at 0.0 ms: lose what host 0 sends to host 2 for 1.5 ms",
        ),
        (
            Fault(at_us=0, kind="full", host=0, length_us=1_500),
            "at 0.0 ms: fill the disk of host 0 for 1.5 ms",
        ),
        (
            Fault(at_us=0, kind="twin", host=0, length_us=1_500),
            "at 0.0 ms: open the store of host 0, which lives on for 1.5 ms",
        ),
        (
            Fault(at_us=0, kind="clock", host=0, amount=-1_250_000),
            "at 0.0 ms: set the clock of host 0 -1,250.0 ms",
        ),
        (
            Fault(at_us=0, kind="clock", host=0, amount=1_250_000),
            "at 0.0 ms: set the clock of host 0 +1,250.0 ms",
        ),
    ],
)
def test_people_can_read_it(fault: Fault, text: str) -> None:
    assert str(fault) == text
