"""What clients of a simulated service ask: which handlers, how often, with which values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar

import msgspec

from actorkalix.describe.descriptors import (
    ComponentDescriptor,
    HandlerDescriptor,
    ServiceDescriptor,
)
from actorkalix.errors import InvalidEntityId, WorkloadUnfit
from actorkalix.gateway.headers import checked_entity_id
from actorkalix.model.workflows import CONTROLS

from .arguments import Bodies, bodies_for

T = TypeVar("T")
WAIT_MAX_MS = 60_000
ENTITIES = ("event_sourced", "value", "workflow")
"""Kinds of components that are asked."""
CONTROL_WEIGHT = 0.1
"""Of `suspend`, `terminate` and the like: most workflows are left alone."""


class Workload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What clients ask; without arguments everything, with values drawn from the types.

    A name with the component's id ("cart.add", "cart.add.item") counts more than one without
    ("add", "add.item"), which is of every component that has such a handler.

    Attributes:
        weights: how often a handler is called in relation to others of its kind, by "component
            id.method" or "method"; 1 when not given (0.1 of controls of workflows), 0 leaves it
            out.
        values: JSON values to choose from for a parameter, by "component id.method.parameter" or
            "method.parameter".
        entities: ids of the entities that are asked, the first one most; "e0", "e1" and so on when
            not given.
        wait_ms: mean time between an answer and the client's next call; most are much shorter.
    """

    weights: dict[str, float] = {}
    values: dict[str, list[Any]] = {}
    entities: tuple[str, ...] = ()
    wait_ms: float = 20.0

    def __post_init__(self) -> None:
        if not 0 <= self.wait_ms <= WAIT_MAX_MS:
            raise ValueError(f"wait_ms is {self.wait_ms}; from 0 to {WAIT_MAX_MS:,}")
        for name, weight in self.weights.items():
            if not 0 <= weight < math.inf:
                raise ValueError(f"weights: {name} is {weight}; a number from 0 on")
        for name, values in self.values.items():
            if not values:
                raise ValueError(f"values: {name} has none; give at least one")


class Choice(msgspec.Struct, frozen=True):
    """A handler that may be called.

    Attributes:
        component: its id.
        method: name of the handler.
        kind: of the handler.
        weight: how often, in relation to others of its kind.
        bodies: draws its arguments.
    """

    component: str
    method: str
    kind: Literal["command", "query"]
    weight: float
    bodies: Bodies


def choices_of(service: ServiceDescriptor, workload: Workload) -> tuple[Choice, ...]:
    """The handlers of a service that a workload lets clients call.

    Raises:
        WorkloadUnfit: it names what the service has not, a value is not of its type, or there is
            nothing to call.
    """
    handlers = [
        (component, handler)
        for component in service.components.values()
        if component.kind in ENTITIES
        for handler in component.handlers.values()
        if handler.kind in ("command", "query")
    ]
    if not handlers:
        kinds = (f"{each.kind} {each.component_id!r}" for each in service.components.values())
        raise WorkloadUnfit(
            f"service {service.name!r} has no command or query of an event sourced or value "
            f"entity or a workflow to call; it has {', '.join(kinds)}"
        )
    _check_entities(workload.entities)
    weights = _named(workload.weights, "weights", (_names(*each) for each in handlers))
    values = _named(
        workload.values,
        "values",
        (
            _names(component, handler, parameter.name)
            for component, handler in handlers
            for parameter in handler.parameters
        ),
    )
    made = [_choice(component, handler, weights, values) for component, handler in handlers]
    chosen = tuple(choice for choice in made if choice.weight)
    if not chosen:
        raise WorkloadUnfit("weights: all are 0, so there is nothing to call")
    return chosen


def _check_entities(entities: Iterable[str]) -> None:
    for entity in entities:
        try:
            checked_entity_id(entity)
        except InvalidEntityId as problem:
            raise WorkloadUnfit(f"entities: {entity!r} is none ({problem})") from None


def with_programs(workload: Workload, programs: Iterable[str]) -> tuple[Workload, dict[str, float]]:
    """A workload without the weights of programs, and these: 1 where none is given."""
    names = tuple(programs)
    rest = {name: weight for name, weight in workload.weights.items() if name not in names}
    found = {name: workload.weights.get(name, 1.0) for name in names}
    kept = {name: weight for name, weight in found.items() if weight}
    return msgspec.structs.replace(workload, weights=rest), kept


def _names(
    component: ComponentDescriptor, handler: HandlerDescriptor, *parameter: str
) -> tuple[str, str]:
    """The full name of a handler or parameter, and the one that others may share."""
    name = ".".join((handler.name, *parameter))
    return f"{component.component_id}.{name}", name


def _named(
    given: Mapping[str, T], where: str, names: Iterable[tuple[str, str]]
) -> Callable[[tuple[str, str]], T | None]:
    """Looks up what was given for a (full, shared) name; every given name has to be one."""
    known = list(names)
    strangers = given.keys() - {name for pair in known for name in pair}
    if strangers:
        there = ", ".join(full for full, _ in known) or "none"
        raise WorkloadUnfit(f"{where}: there is no {min(strangers)!r}; there are {there}")
    return lambda pair: given.get(pair[0], given.get(pair[1]))


def _choice(
    component: ComponentDescriptor,
    handler: HandlerDescriptor,
    weights: Callable[[tuple[str, str]], float | None],
    values: Callable[[tuple[str, str]], list[Any] | None],
) -> Choice:
    weight = weights(_names(component, handler))
    given = {
        parameter.name: found
        for parameter in handler.parameters
        if (found := values(_names(component, handler, parameter.name))) is not None
    }
    return Choice(
        component.component_id,
        handler.name,
        "query" if handler.kind == "query" else "command",
        _usual(component, handler) if weight is None else weight,
        Bodies(component, handler.name, given) if given else bodies_for(component, handler.name),
    )


def _usual(component: ComponentDescriptor, handler: HandlerDescriptor) -> float:
    is_control = component.kind == "workflow" and handler.name in CONTROLS
    return CONTROL_WEIGHT if is_control else 1.0
