"""Workloads: which handlers are called, and what is said of names and values that do not fit."""

from __future__ import annotations

from typing import Any

import pytest

from actorkalix import Action, handler
from actorkalix.describe import descriptor_of
from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.errors import WorkloadUnfit
from actorkalix.testkit.simulation.chance import Chance
from actorkalix.testkit.simulation.workload import Workload, choices_of, with_programs
from tests.unit.actorkalix.testkit.simulation.things import SHOP


class Desk(Action, id="desk"):
    @handler
    async def ring(self) -> str:
        return "ding"


def test_everything_is_called_alike_by_default() -> None:
    choices = choices_of(SHOP.descriptor, Workload())
    found = [(one.component, one.method, one.kind, one.weight) for one in choices]
    assert found == [
        ("basket", "add", "command", 1.0),
        ("basket", "take", "command", 1.0),
        ("basket", "clear", "command", 1.0),
        ("basket", "size", "query", 1.0),
        ("forest", "plant", "command", 1.0),
        ("forest", "fork", "command", 1.0),
        ("forest", "model", "command", 1.0),
        ("forest", "several", "command", 1.0),
    ]


def test_weights_and_values_count_by_either_name() -> None:
    workload = Workload(
        weights={"add": 3, "basket.take": 0.5, "take": 9, "clear": 0, "forest.fork": 0},
        values={"take.why": ["x"], "basket.take.count": [7]},
    )
    choices = {one.method: one for one in choices_of(SHOP.descriptor, workload)}
    assert choices["add"].weight == 3
    assert choices["take"].weight == 0.5
    assert not {"clear", "fork"} & choices.keys()
    assert choices["take"].bodies.draw(Chance(1)) == b'{"count":7,"why":"x"}'


@pytest.mark.parametrize(
    "workload, said",
    [
        (
            Workload(weights={"basket.ad": 1}),
            "weights: there is no 'basket.ad'; there are basket.add, basket.take, basket.clear, b",
        ),
        (
            Workload(values={"take.reason": ["x"]}),
            "values: there is no 'take.reason'; there are basket.add.item, basket.take.count, bas",
        ),
        (
            Workload(values={"take.count": ["x"]}),
            'values: basket.take.count cannot be "x" (count: expected int, got str)',
        ),
        (Workload(entities=("a", "")), "entities: '' is none (the entity id is empty)"),
    ],
)
def test_what_does_not_fit_the_service_is_named(workload: Workload, said: str) -> None:
    with pytest.raises(WorkloadUnfit) as caught:
        choices_of(SHOP.descriptor, workload)
    assert str(caught.value).startswith(said)


def test_weights_of_programs_are_not_of_handlers() -> None:
    given = Workload(weights={"audit": 2, "add": 3, "idle": 0})
    rest, programs = with_programs(given, ("audit", "sell", "idle"))
    assert programs == {"audit": 2, "sell": 1}
    assert rest.weights == {"add": 3}


def test_weights_that_leave_nothing_are_an_error() -> None:
    names = [one.method for one in choices_of(SHOP.descriptor, Workload())]
    with pytest.raises(WorkloadUnfit, match="weights: all are 0, so there is nothing to call"):
        choices_of(SHOP.descriptor, Workload(weights=dict.fromkeys(names, 0)))


def test_a_service_without_entities_says_what_it_has() -> None:
    descriptor = _service_of(Desk)
    with pytest.raises(WorkloadUnfit) as caught:
        choices_of(descriptor, Workload())
    assert str(caught.value) == (
        "service 'desks' has no command or query of an event sourced or value entity or a "
        "workflow to call; "
        "it has action 'desk'"
    )


def _service_of(component: Any) -> ServiceDescriptor:
    return ServiceDescriptor("desks", {"desk": descriptor_of(component)})


@pytest.mark.parametrize(
    "given, said",
    [
        ({"wait_ms": -1}, "wait_ms is -1; from 0 to 60,000"),
        ({"weights": {"add": -1}}, "weights: add is -1; a number from 0 on"),
        ({"weights": {"add": float("inf")}}, "weights: add is inf"),
        ({"values": {"add.item": []}}, "values: add.item has none; give at least one"),
    ],
)
def test_what_cannot_be_is_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as caught:
        Workload(**given)
    assert said in str(caught.value)
