"""Makes a plan that fails smaller: a person should read ten calls and one fault, not two hundred.

Theory of operation. The core is delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating
Failure-Inducing Input", IEEE Transactions on Software Engineering 28(2), 2002): parts are taken
away in halves, quarters and so on down to one by one, and what still fails without them is gone on
with. Of ddmin only the complements are tried, each sweep going on where it took something away
instead of beginning anew: plans are mostly superfluous, and a try costs a run.

A call that is taken away leaves its wait to the next one of its client. So the calls behind it stay
near their times, and meet the faults that they met before; the waits themselves are taken away
later. The steps are repeated until none of them makes the plan smaller. Everything is in a fixed
order, and a plan that was tried is not tried again: same plan, same tries, same result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import msgspec

from .faults import Fault, Faults
from .plan import Call, Plan

T = TypeVar("T")
RUNS_MAX = 400
LENGTH_MIN_US = 1_000
"""Shorter faults say no more than this one."""
replace = msgspec.structs.replace


def shrink(plan: Plan, fails: Callable[[Plan], bool], *, runs_max: int = RUNS_MAX) -> Plan:
    """A smaller plan that fails too.

    Nothing can be taken away from it by one more step without its passing, unless `runs_max` came
    first.

    Args:
        plan: that fails.
        fails: plays a plan; has to say the same of the same plan.
        runs_max: how many plans are played at most, the given one included.

    Raises:
        ValueError: the plan does not fail.
    """
    search = _Search(fails, runs_max)
    if not search.tries(plan):
        raise ValueError("the plan does not fail when it is played again: nothing to shrink")
    before = None
    while plan != before:
        before = plan
        for step in _STEPS:
            plan = step(plan, search)
    return plan


class _Search:
    """Plays plans, none of them twice, and no more than it may."""

    def __init__(self, fails: Callable[[Plan], bool], runs_max: int) -> None:
        self._fails = fails
        self._left = runs_max
        self._tried: set[bytes] = set()
        self._encode = msgspec.msgpack.Encoder().encode

    def tries(self, plan: Plan) -> bool:
        """Whether a plan fails; False for one that was tried, and when no runs are left."""
        image = self._encode(plan)
        if self._left <= 0 or image in self._tried:
            return False
        self._tried.add(image)
        self._left -= 1
        return self._fails(plan)


def _fewest(
    plan: Plan, items: Sequence[T], made: Callable[[Sequence[T]], Plan], search: _Search
) -> Plan:
    """The plan with as few of the items as it takes to fail.

    Args:
        plan: with all of them.
        items: that may be taken away.
        made: the plan with these alone.
        search: tries it.
    """
    kept = list(items)
    if kept and search.tries(without := made([])):
        return without
    size = len(kept) // 2
    while size:
        start, was = 0, len(kept)
        while start < len(kept):
            less = kept[:start] + kept[start + size :]
            if less and search.tries(smaller := made(less)):
                kept, plan = less, smaller
            else:
                start += size
        if size > 1 or len(kept) == was:  # single ones are tried until none can go
            size //= 2
    return plan


# ---- steps ---------------------------------------------------------------------------------------
def _faults(plan: Plan, search: _Search) -> Plan:
    return _fewest(plan, plan.faults, lambda kept: replace(plan, faults=tuple(kept)), search)


def _rates(plan: Plan, search: _Search) -> Plan:
    """Each rate as if nothing ever went wrong."""
    none = Faults.none()
    names = [
        name for name in none.__struct_fields__ if getattr(plan.rates, name) != getattr(none, name)
    ]

    def made(kept: Sequence[str]) -> Plan:
        rates = replace(none, **{name: getattr(plan.rates, name) for name in kept})
        return replace(plan, rates=rates)

    return _fewest(plan, names, made, search)


def _clients(plan: Plan, search: _Search) -> Plan:
    def made(kept: Sequence[int]) -> Plan:
        return replace(plan, calls=tuple(call for call in plan.calls if call.client in kept))

    return _fewest(plan, _in_use(call.client for call in plan.calls), made, search)


def _calls(plan: Plan, search: _Search) -> Plan:
    indices = range(len(plan.calls))
    return _fewest(plan, indices, lambda kept: _with_calls(plan, set(kept)), search)


def _with_calls(plan: Plan, kept: set[int]) -> Plan:
    """These calls alone; each waits for the ones that stood before it, too."""
    waits_us: dict[int, int] = {}
    calls: list[Call] = []
    for index, call in enumerate(plan.calls):
        waits_us[call.client] = waits_us.get(call.client, 0) + call.wait_us
        if index in kept:
            calls.append(replace(call, wait_us=waits_us.pop(call.client)))
    return replace(plan, calls=tuple(calls))


def _entities(plan: Plan, search: _Search) -> Plan:
    """Fewer entities: one is taken for another of its component."""
    for component, entity in _in_use((call.component, call.entity) for call in plan.calls):
        others = _in_use(c.entity for c in plan.calls if c.component == component)
        for other in others[: others.index(entity)]:
            if search.tries(merged := _merged(plan, component, entity, other)):
                plan = merged
                break
    return plan


def _merged(plan: Plan, component: str, entity: str, other: str) -> Plan:
    """What is asked of an entity is asked of another."""
    whom = (component, entity)
    return _each_call(
        plan, lambda c: replace(c, entity=other) if (c.component, c.entity) == whom else c
    )


def _keys(plan: Plan, search: _Search) -> Plan:
    def made(kept: Sequence[str]) -> Plan:
        return _each_call(plan, lambda c: c if c.key in kept else replace(c, key="", retry=False))

    return _fewest(plan, _in_use(call.key for call in plan.calls if call.key), made, search)


def _waits(plan: Plan, search: _Search) -> Plan:
    waiting = [(call.client, call.number) for call in plan.calls if call.wait_us]

    def made(kept: Sequence[tuple[int, int]]) -> Plan:
        whose = set(kept)
        return _each_call(
            plan, lambda c: c if (c.client, c.number) in whose else replace(c, wait_us=0)
        )

    return _fewest(plan, waiting, made, search)


def _lengths(plan: Plan, search: _Search) -> Plan:
    """Faults half as long, jumps half as far, as often as that fails too."""
    for index in range(len(plan.faults)):
        while (half := _halved(plan.faults[index])) is not None:
            faults = (*plan.faults[:index], half, *plan.faults[index + 1 :])
            shorter = replace(plan, faults=faults)
            if not search.tries(shorter):
                break
            plan = shorter
    return plan


def _halved(fault: Fault) -> Fault | None:
    if fault.length_us >= 2 * LENGTH_MIN_US:
        return replace(fault, length_us=fault.length_us // 2)
    if fault.kind == "clock" and abs(fault.amount) >= 2 * LENGTH_MIN_US:
        return replace(fault, amount=int(fault.amount / 2))
    return None


def _hosts(plan: Plan, search: _Search) -> Plan:
    """As few hosts as the faults name, or more where it takes them."""
    named = max((max(fault.host, fault.other) for fault in plan.faults), default=0)
    for hosts in range(1 + named, plan.hosts):
        if search.tries(fewer := replace(plan, hosts=hosts)):
            return fewer
    return plan


def _numbers(plan: Plan, search: _Search) -> Plan:
    """Clients numbered without gaps: one that asks nothing need not be there."""
    clients = _in_use(call.client for call in plan.calls)
    number = {client: index for index, client in enumerate(sorted(clients))}
    closer = replace(
        _each_call(plan, lambda c: replace(c, client=number[c.client])),
        clients=max(1, len(clients)),
    )
    return closer if closer != plan and search.tries(closer) else plan


_STEPS = (
    *(_faults, _rates, _clients, _calls, _entities),
    *(_keys, _waits, _lengths, _hosts, _numbers),
)


def _each_call(plan: Plan, change: Callable[[Call], Call]) -> Plan:
    return replace(plan, calls=tuple(map(change, plan.calls)))


def _in_use(items: Iterable[T]) -> list[T]:
    """Each once, in the order of first use."""
    return list(dict.fromkeys(items))
