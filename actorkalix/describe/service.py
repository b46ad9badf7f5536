"""A service: what can only be wrong between its components."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from actorkalix.describe.component import descriptor_of
from actorkalix.describe.descriptors import (
    ComponentDescriptor,
    ComponentKind,
    Place,
    ServiceDescriptor,
)
from actorkalix.describe.marked import has_messages
from actorkalix.describe.problems import Problems, caller_place
from actorkalix.describe.routes import check_clashes
from actorkalix.describe.streams import check_streams
from actorkalix.errors import DefinitionError, NotInThisVersion
from actorkalix.model.component import Component

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LATER: dict[ComponentKind, str] = {
    "replicated": "replicated entities",
}


def describe_service(name: str, classes: Sequence[type[Any]]) -> ServiceDescriptor:
    """Describe a service.

    Args:
        name: 1 to 64 of letters, digits, `.`, `_` and `-`; the data folder bears it.
        classes: its components.

    Raises:
        DefinitionError: lists every problem: ids and routes that two components share among them.
        NotInThisVersion: a later version runs this kind of component; names class, file and line.
    """
    problems = Problems(f"service {name!r}")
    place = caller_place()
    if not _is_name(name):
        problems.add(
            place, f"its name is {name!r}; use 1 to 64 of letters, digits, '.', '_' and '-'"
        )
    if not classes:
        problems.add(place, "it has no components; write components=[...]")
    descriptors = [
        found for cls in classes if (found := _described(cls, place, problems)) is not None
    ]
    by_id: dict[str, ComponentDescriptor] = {}
    for one in descriptors:
        other = by_id.setdefault(one.component_id, one)
        if other is not one:
            where = f"{other.place.file}:{other.place.line}"
            said = (
                f"{one.cls.__name__} has the id {one.component_id!r} of {other.cls.__name__} "
                f"({where})"
            )
            problems.add(one.place, f"{said}; give one another id")
        elif descriptors.count(one) > 1:
            problems.add(one.place, f"{one.cls.__name__} is listed twice; list it once")
    if not problems:
        check_clashes(list(by_id.values()), problems)
    _check_sources(descriptors, problems)
    check_streams(name, descriptors, problems)
    problems.raise_if_any()
    _refuse_later(name, descriptors)
    return ServiceDescriptor(name, by_id)


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and _NAME.fullmatch(name) is not None and name not in (".", "..")


def _described(cls: Any, place: Place, problems: Problems) -> ComponentDescriptor | None:
    if isinstance(cls, Component):
        called = type(cls).__name__
        problems.add(
            place,
            f"components takes classes, got an object of {called}; write {called} without ()",
        )
        return None
    try:
        return descriptor_of(cls)
    except DefinitionError as problem:
        problems.add(place, str(problem))
        return None


def _check_sources(descriptors: Sequence[ComponentDescriptor], problems: Problems) -> None:
    """Whoever reads a component's changes is told where that component is missing."""
    there = {one.cls for one in descriptors}
    for one in descriptors:
        for subscription in one.subscriptions:
            if not has_messages(subscription.source) and subscription.source not in there:
                name = subscription.source.__name__
                for handler in subscription.handlers.values():
                    said = f"{one.cls.__name__}.{handler.name} subscribes to {name}"
                    problems.add(handler.place, f"{said}; list {name} in components=[...] too")
        for table in one.view.tables.values() if one.view else ():
            if isinstance(table.source, type) and table.source not in there:
                name = table.source.__name__
                said = f"{one.cls.__name__} makes the table {table.name!r} of {name}"
                problems.add(table.place, f"{said}; list {name} in components=[...] too")


def _refuse_later(name: str, descriptors: Sequence[ComponentDescriptor]) -> None:
    problems = Problems(f"service {name!r}")
    for one in descriptors:
        if one.kind in _LATER:
            said = (
                f"{one.cls.__name__}: {_LATER[one.kind]} come with a later version; "
                "leave it out of the service"
            )
            problems.add(one.place, said)
    problems.raise_if_any(NotInThisVersion)
