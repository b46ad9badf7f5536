"""Checked already of components that a later version runs: names that lead nowhere."""

from __future__ import annotations

from typing import Any

from actorkalix.describe.annotations import arguments_of, members
from actorkalix.describe.handlers import Scope
from actorkalix.describe.problems import place_of
from actorkalix.describe.shapes import name_of
from actorkalix.model.entities import EventSourcedEntity
from actorkalix.model.sources import source_marks_of


def check_later(scope: Scope) -> None:
    """Check sources of a class."""
    _check_sources(scope)


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
