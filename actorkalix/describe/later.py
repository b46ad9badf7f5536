"""Checked already of components that a later version runs: names that lead nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from actorkalix.describe.annotations import arguments_of, members
from actorkalix.describe.handlers import Scope
from actorkalix.describe.problems import place_of
from actorkalix.describe.shapes import name_of
from actorkalix.model.entities import EventSourcedEntity
from actorkalix.model.sources import source_marks_of
from actorkalix.model.workflows import Step

STEP_TIMEOUT = timedelta(seconds=5)


def check_later(scope: Scope, options: Mapping[str, Any]) -> None:
    """Check steps and sources of a class."""
    _check_steps(scope, options.get("timeout"))
    _check_sources(scope)


def _check_steps(scope: Scope, timeout: Any) -> None:
    steps: dict[str, Step[Any, ...]] = {}
    for base in reversed(scope.cls.__mro__):
        steps |= {name: value for name, value in vars(base).items() if isinstance(value, Step)}
    for name, step in steps.items():
        place = place_of(step.fn, scope.place)
        if step.recover and step.recover.step is not None and step.recover.step not in steps:
            known = ", ".join(sorted(steps))
            scope.problems.add(
                place,
                f"{name} fails over to {step.recover.step!r}, "
                f"which is no step of {scope.cls.__name__}; they are {known}",
            )
        if isinstance(timeout, timedelta) and timeout <= (step.timeout or STEP_TIMEOUT):
            scope.problems.add(
                place,
                f"{name} may take {step.timeout or STEP_TIMEOUT}; "
                f"give the workflow more than its {timeout}",
            )


def _check_sources(scope: Scope) -> None:
    for base in scope.cls.__mro__:
        for name, value in vars(base).items():
            for mark in source_marks_of(value):
                if mark.kind != "subscribe" or mark.only is None or not _is_entity(mark.source):
                    continue
                events = members(arguments_of(mark.source, EventSourcedEntity)[1])
                if mark.only not in events:
                    union = " | ".join(name_of(one) for one in events)
                    place = place_of(getattr(value, "fn", value), scope.place)
                    text = (
                        f"{name} takes only={name_of(mark.only)}, "
                        f"which {mark.source.__name__} never persists"
                    )
                    scope.problems.add(place, f"{text}; its events are {union}")


def _is_entity(source: Any) -> bool:
    return isinstance(source, type) and issubclass(source, EventSourcedEntity)
