"""What a component stores: types of states and events, their names, versions and migrations."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

from actorkalix.describe.annotations import members
from actorkalix.describe.descriptors import Place, StoredType
from actorkalix.describe.problems import Problems
from actorkalix.describe.shapes import name_of, unfit
from actorkalix.model import stored

_PLAIN = (dict, list, tuple, set, frozenset, object, type(None))


def describe_state(tp: Any, place: Place, problems: Problems) -> StoredType:
    """The stored type of states."""
    for problem in unfit(tp):
        problems.add(place, f"the state cannot be stored: {problem}")
    # `Cart | None` migrates as `Cart` does.
    alone = [one for one in members(tp) if one is not type(None)]
    owner = alone[0] if len(alone) == 1 else tp
    return _stored(tp, owner, place, problems)


def describe_events(tp: Any, place: Place, problems: Problems) -> tuple[StoredType, ...]:
    """The stored types of the events in a union, in its order."""
    found: list[StoredType] = []
    for event in members(tp):
        if text := _no_event(event):
            problems.add(place, f"event {name_of(event)} {text}")
            continue
        for problem in unfit(event):
            problems.add(place, f"event {name_of(event)} cannot be stored: {problem}")
        found.append(_stored(event, event, place, problems))
    for index, event in enumerate(found):
        for other in found[:index]:
            if other.tag == event.tag and other.type is not event.type:
                problems.add(
                    place,
                    f"events {_long(other.type)} and {_long(event.type)} are both stored as "
                    f"{event.tag!r}; "
                    "give one another @type_name",
                )
    return tuple(found)


def _no_event(event: Any) -> str:
    if event is Any or not isinstance(event, type) or typing.get_args(event):
        return (
            "is not a class; events are told apart by their class, "
            "so give it one of its own (a dataclass)"
        )
    if typing.is_typeddict(event):
        return (
            "is a TypedDict, which is a plain dict when it runs; "
            "make it a dataclass or msgspec.Struct"
        )
    if event in _PLAIN:
        return (
            "is not a class of yours; events are told apart by their class, so make it a dataclass"
        )
    return ""


def _long(cls: type[Any]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _stored(tp: Any, owner: Any, place: Place, problems: Problems) -> StoredType:
    try:
        tag, version = stored.tag_of(owner)
    except TypeError:
        tag, version = name_of(tp), 1
    migrations = stored.migrations_of(owner)
    _check_chain(name_of(owner), version, migrations, place, problems)
    return StoredType(tag, version, tp, migrations)


def _check_chain(
    name: str, version: int, migrations: Mapping[int, Any], place: Place, problems: Problems
) -> None:
    """Every version from the oldest that is still read leads to the newest (RT-62)."""
    oldest = min(migrations, default=1)
    for step in range(oldest, version):
        if step not in migrations:
            problems.add(
                place,
                f"{name} is version {version} and has no @migrate({name}, from_version={step}); "
                "write it above this class",
            )
    for step in migrations:
        if not 1 <= step < version:
            problems.add(
                place,
                f"@migrate({name}, from_version={step}) leads nowhere: {name} is version {version}",
            )
