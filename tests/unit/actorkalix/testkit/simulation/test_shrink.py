"""Shrinking, with predicates that say what a plan fails by."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from actorkalix.testkit.simulation.faults import Faults
from actorkalix.testkit.simulation.plan import Plan, draw_plan
from actorkalix.testkit.simulation.shrink import LENGTH_MIN_US, shrink
from tests.unit.actorkalix.testkit.simulation.things import SHOP

PLAN = draw_plan(SHOP.descriptor, 1, faults=Faults.harsh(), keyed=0.6)


class Counted:
    """A predicate that counts how often it is asked, and never twice the same."""

    def __init__(self, fails: Callable[[Plan], bool]) -> None:
        self._fails = fails
        self.asked: list[bytes] = []

    def __call__(self, plan: Plan) -> bool:
        image = msgspec.json.encode(plan)
        assert image not in self.asked, "one plan is played once"
        self.asked.append(image)
        return self._fails(plan)


def test_what_fails_always_shrinks_to_nothing() -> None:
    fails = Counted(lambda plan: True)
    found = shrink(PLAN, fails)
    assert (found.calls, found.faults, found.hosts, found.clients) == ((), (), 1, 1)
    assert found.rates == Faults.none()
    assert len(fails.asked) < 20


def test_what_it_takes_is_kept_and_nothing_else() -> None:
    one, other = PLAN.calls[37], PLAN.calls[161]
    kill = next(fault for fault in PLAN.faults if fault.kind == "kill" and fault.host > 0)
    assert one.client != other.client

    def takes(plan: Plan) -> bool:
        bodies = [(call.method, call.body) for call in plan.calls]
        return (
            (one.method, one.body) in bodies
            and (other.method, other.body) in bodies
            and kill in plan.faults
            and plan.rates.drop > 0
        )

    fails = Counted(takes)
    found = shrink(PLAN, fails, runs_max=1_000)
    assert [(c.method, c.body) for c in found.calls] == [
        (c.method, c.body) for c in (one, other)
    ] or len(found.calls) == 2
    assert found.faults == (kill,)
    assert found.rates == msgspec.structs.replace(Faults.none(), drop=PLAN.rates.drop)
    assert found.hosts == kill.host + 1
    assert all(not c.wait_us and not c.key and not c.retry for c in found.calls)
    assert found.clients == len({call.client for call in found.calls})
    assert takes(found)
    assert len(fails.asked) < 400


def test_it_is_minimal() -> None:
    def enough(plan: Plan) -> bool:
        return sum(call.method == "add" for call in plan.calls) >= 7

    found = shrink(PLAN, enough)
    assert [call.method for call in found.calls] == ["add"] * 7
    assert len({call.entity for call in found.calls}) == 1


def test_clients_are_kept_where_it_takes_several() -> None:
    def several(plan: Plan) -> bool:
        return len({call.client for call in plan.calls if call.key}) >= 2

    found = shrink(PLAN, several)
    assert sorted(call.client for call in found.calls) == [0, 1]
    assert found.clients == 2
    assert all(call.key for call in found.calls)


def test_entities_are_kept_where_it_takes_several() -> None:
    def several(plan: Plan) -> bool:
        return len({call.entity for call in plan.calls}) >= 3

    found = shrink(PLAN, several)
    assert len(found.calls) == 3


def test_a_call_keeps_its_time_while_others_go() -> None:
    """The fault is met only at the time that the last call of the third client had."""

    def time_us(plan: Plan) -> int:
        return sum(call.wait_us for call in plan.calls if call.client == 2)

    last = [call for call in PLAN.calls if call.client == 2][-1]

    def met(plan: Plan) -> bool:
        mine = [call for call in plan.calls if call.client == 2]
        in_place = time_us(plan) == time_us(PLAN)
        return bool(mine) and mine[-1].number == last.number and in_place

    (call,) = shrink(PLAN, met).calls
    assert (call.number, call.wait_us) == (last.number, time_us(PLAN))


def test_faults_become_shorter() -> None:
    long = max(fault.length_us for fault in PLAN.faults if fault.kind == "pause")

    def paused(plan: Plan) -> bool:
        return any(fault.kind == "pause" and fault.length_us > 50_000 for fault in plan.faults)

    assert long > 200_000
    (fault,) = shrink(PLAN, paused).faults
    assert 50_000 < fault.length_us <= 100_000
    (fault,) = shrink(PLAN, lambda plan: any(f.kind == "clock" for f in plan.faults)).faults
    assert abs(fault.amount) < 2 * LENGTH_MIN_US


def test_no_more_runs_than_allowed() -> None:
    fails = Counted(lambda plan: len(plan.calls) >= 90)
    found = shrink(PLAN, fails, runs_max=25)
    assert len(fails.asked) == 25
    assert 90 <= len(found.calls) < 200


def test_the_same_plan_shrinks_the_same_way() -> None:
    def odd(plan: Plan) -> bool:
        return len(plan.calls) % 2 == 1 or len(plan.calls) == 200

    one, other = Counted(odd), Counted(odd)
    assert shrink(PLAN, one) == shrink(PLAN, other)
    assert one.asked == other.asked


def test_a_plan_that_does_not_fail_is_an_error() -> None:
    with pytest.raises(ValueError, match="the plan does not fail when it is played again"):
        shrink(PLAN, lambda plan: False)
