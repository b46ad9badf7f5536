"""Strategies: what they draw can be played, and shrinks to what a person would write."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from actorkalix import Service
from actorkalix.errors import WorkloadUnfit
from actorkalix.testkit import EntityTestKit
from actorkalix.testkit.simulation.plan import Call
from actorkalix.testkit.simulation.workload import Workload
from actorkalix.testkit.strategies import Command, calls, commands
from tests.unit.actorkalix.testkit.simulation.things import (
    SHOP,
    Basket,
    Forest,
    Item,
    Stubborn,
)

QUICK = settings(
    max_examples=30,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SEARCH = settings(QUICK, max_examples=1_000)
BASKETS = Service("baskets", components=[Basket])


@QUICK
@given(st.lists(commands(Basket), max_size=8))
def test_commands_are_played_by_the_kit(asked: list[Command]) -> None:
    kit = EntityTestKit(Basket)
    total = 0
    for command in asked:
        assert command.method in ("add", "take", "clear")
        result: Any = kit.call(command.handler, *command.args, **command.kwargs)
        total += sum(event.item.count for event in result.events)
    assert kit.state == total


@QUICK
@given(commands(Basket, Basket.size, Basket.add))
def test_handlers_can_be_named(command: Command) -> None:
    assert command.method in ("size", "add")


@QUICK
@given(commands(Forest))
def test_types_that_hold_themselves_are_drawn(command: Command) -> None:
    assert command.args


def test_a_command_shrinks_to_a_simple_one() -> None:
    found = find(commands(Basket), lambda c: c.method == "add", settings=SEARCH)
    assert found.args == (Item("a", 1),)
    assert repr(found) == 'Basket.add({"name":"a"})'
    odd = find(commands(Basket, Basket.take), lambda c: c.args[0] > 100, settings=SEARCH)
    assert odd.body == b'{"count":1000000}'


def test_values_can_be_given() -> None:
    only = commands(Stubborn, Stubborn.give, values={"give.it": [{"number": 7}]})
    assert find(only, lambda c: True, settings=SEARCH).body == b'{"number":7}'


def test_names_that_are_none_are_errors() -> None:
    with pytest.raises(WorkloadUnfit, match="Basket has no handler 'fork'; it has add, take"):
        commands(Basket, Forest.fork)
    with pytest.raises(WorkloadUnfit, match=r"no 'take\.x' to draw; there are take\.count, take"):
        commands(Basket, Basket.take, values={"take.x": [1]})
    with pytest.raises(WorkloadUnfit, match=r"values: basket\.take\.count cannot be \"x\""):
        commands(Basket, Basket.take, values={"take.count": ["x"]})


@QUICK
@given(calls(SHOP, clients=3, operations_max=12, entities=2))
def test_calls_are_by_client_and_numbered(asked: tuple[Call, ...]) -> None:
    assert 1 <= len(asked) <= 12
    assert {call.client for call in asked} <= {0, 1, 2}
    assert {call.entity for call in asked} <= {"e0", "e1"}
    for one, other in pairwise(asked):
        assert (other.client, other.number) > (one.client, one.number)
        assert other.number == (one.number + 1 if other.client == one.client else 0)
    keys = [call.key for call in asked if call.key]
    assert len(set(keys)) == len(keys)
    assert all(call.key and call.kind == "command" for call in asked if call.retry)


def test_calls_shrink_to_few_of_few_clients() -> None:
    def contend(asked: tuple[Call, ...]) -> bool:
        takers = {call.client for call in asked if call.method == "take"}
        return len(takers) >= 2 and any(call.method == "size" for call in asked)

    found = find(calls(BASKETS, clients=3, operations_max=6), contend, settings=SEARCH)
    assert len(found) == 3
    assert {call.client for call in found} == {0, 1}
    assert {(call.entity, call.wait_us, call.key) for call in found} == {("e0", 0, "")}
    assert {call.body for call in found} == {b'{"count":1}', b""}


def test_the_simplest_call_has_no_arguments() -> None:
    (call,) = find(calls(BASKETS, operations_max=2), lambda asked: True, settings=SEARCH)
    assert (call.client, call.entity, call.body, call.wait_us) == (0, "e0", b"", 0)


def test_programs_are_drawn_alone_or_between_calls() -> None:
    alone = calls(BASKETS, programs=("audit",), operations_max=2)
    (call,) = find(alone, lambda asked: True, settings=SEARCH)
    assert (call.kind, call.method, call.component) == ("program", "audit", "")
    between = calls(BASKETS, programs=("audit",), workload=Workload(), operations_max=4)
    quick = settings(SEARCH, phases=[Phase.generate])
    found = find(between, lambda asked: len({c.kind for c in asked}) == 3, settings=quick)
    assert {call.kind for call in found} == {"program", "command", "query"}


def test_a_workload_decides() -> None:
    workload = Workload(weights={"add": 0}, entities=("x",), values={"take.count": [9]})
    found = find(
        calls(SHOP, workload=workload, operations_max=4),
        lambda asked: any(call.method == "take" for call in asked),
        settings=SEARCH,
    )
    assert [(call.entity, call.body) for call in found] == [("x", b'{"count":9}')]
