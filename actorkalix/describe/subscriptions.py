"""Subscriptions of actions: which method takes which changes of which source."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeGuard, get_args

from actorkalix.describe.descriptors import ChangeHandler, Place, Subscription, described
from actorkalix.describe.handlers import Scope
from actorkalix.describe.problems import place_of
from actorkalix.describe.shapes import name_of
from actorkalix.model.component import Component
from actorkalix.model.entities import EventSourcedEntity, ValueEntity
from actorkalix.model.sources import OnFailure, Source, SourceMark, source_marks_of

CONSUMER_BYTES_MAX = 200
"""Dead letters have it in their ids, which have 256 bytes, beside a shard and an offset."""

BATCH_MAX = 10_000
"""Changes that one call of a handler may take; a list of them is one payload."""


class Marked(NamedTuple):
    """A method with a mark that says where changes come from or go to."""

    name: str
    fn: Any
    place: Place
    mark: SourceMark


def marked_methods(cls: type[Any]) -> Iterator[Marked]:
    """Methods of a class, own and inherited, that take changes or publish."""
    seen: set[str] = set()
    for base in cls.__mro__:
        for name, value in vars(base).items():
            if name in seen:
                continue
            seen.add(name)
            fn = getattr(value, "fn", value)
            for mark in dict.fromkeys((*source_marks_of(value), *source_marks_of(fn))):
                yield Marked(name, fn, place_of(fn, Place("", 0)), mark)


def describe_subscriptions(scope: Scope, component_id: str) -> tuple[Subscription, ...]:
    """The consumers of an action; what is wrong goes to `scope.problems`."""
    groups: dict[tuple[str, int], list[Marked]] = {}
    for one in marked_methods(scope.cls):
        is_ours = one.mark.kind == "subscribe" and topic_of(one.mark) is None
        if is_ours and _is_sound(scope, one):
            named = one.mark.group or ""
            groups.setdefault((named, id(one.mark.source)), []).append(one)
    made = tuple(_subscription(scope, component_id, methods) for methods in groups.values())
    _check_ids(scope, made)
    return made


def topic_of(mark: SourceMark) -> Source[Any] | None:
    """The topic, or the stream of another service, that a mark names."""
    return mark.source if _is_topic(mark.source) else None


def _is_topic(source: object) -> TypeGuard[Source[Any]]:
    return isinstance(source, Source)


def _subscription(scope: Scope, component_id: str, methods: Sequence[Marked]) -> Subscription:
    first = methods[0]
    options = {_options(one.mark) for one in methods}
    if len(options) > 1:
        names = " and ".join(one.name for one in methods)
        scope.problems.add(
            first.place,
            f"{names} are one consumer of {name_of(first.mark.source)}; "
            "give them the same batch_max, on_failure and start_from, or another group=",
        )
    _check_disjoint(scope, methods)
    batch_max, on_failure, start_from = _options(first.mark)
    source = described(first.mark.source)
    assert source is not None, "a source is described"
    name = first.mark.group or source.component_id
    return Subscription(
        f"{component_id}:{name}",
        first.mark.source,
        {one.name: _handler(scope, one) for one in methods},
        max(1, batch_max),
        on_failure == "block",
        start_from == "now",
        int(start_from.timestamp() * 1000) if isinstance(start_from, datetime) else 0,
        on_failure == "dead_letter",
    )


def _options(mark: SourceMark) -> tuple[int, str, Any]:
    return mark.batch_max, mark.on_failure, mark.start_from


def _handler(scope: Scope, one: Marked) -> ChangeHandler:
    inner = inspect.unwrap(one.fn)
    batch = one.mark.batch_max > 0 and not one.mark.deletes
    waits = inspect.iscoroutinefunction(inner)
    _check_takes(scope, one)
    return ChangeHandler(
        one.name, one.fn, one.mark.only, one.mark.deletes, batch, not waits, one.place
    )


# ---- what can be wrong -------------------------------------------------------------------------
def _is_sound(scope: Scope, one: Marked) -> bool:
    """Whether a mark can be read at all."""
    before = bool(scope.problems)
    for said in _wrong(one):
        scope.problems.add(one.place, f"{one.name} {said}")
    return before == bool(scope.problems)


def _wrong(one: Marked) -> Iterator[str]:
    mark, value = one.mark, one.fn
    source: Any = mark.source
    group: Any = mark.group
    if not (isinstance(source, type) and issubclass(source, Component)):
        yield f"subscribes to {source!r}, which is no source; name an entity's class"
    elif not issubclass(source, (EventSourcedEntity, ValueEntity)):
        yield f"subscribes to {source.__name__}, which has no changes; name an entity's class"
    elif described(source) is None:
        yield f"subscribes to {source.__name__}, which is abstract; name a class with an id"
    if inspect.isasyncgenfunction(value) or inspect.isgeneratorfunction(value):
        yield "is a generator; a change is handled once, write async def"
    if type(mark.batch_max) is not int or not 0 <= mark.batch_max <= BATCH_MAX:
        yield f"takes batch_max={mark.batch_max!r}; it is a number from 1 to {BATCH_MAX:,}"
    if mark.on_failure not in get_args(OnFailure):
        yield f'takes on_failure={mark.on_failure!r}; it is "park", "block" or "dead_letter"'
    start = mark.start_from
    if isinstance(start, datetime):
        if start.tzinfo is None:
            yield "starts from a datetime without a zone; give it tzinfo=UTC, or another"
    elif start not in ("beginning", "now"):
        yield f'takes start_from={start!r}; it is "beginning", "now" or a datetime'
    if group is not None and not (isinstance(group, str) and group.strip()):
        yield f"takes group={group!r}; it is a name"


def _check_takes(scope: Scope, one: Marked) -> None:
    """The parameters of a method: none for deletes, else the change or a list of changes."""
    try:
        parameters = list(inspect.signature(one.fn).parameters.values())[1:]
    except (TypeError, ValueError):
        return
    needed = [p for p in parameters if p.default is p.empty]
    if one.mark.deletes and needed:
        scope.problems.add(
            one.place, f"{one.name} takes notices of deletes, so it has no parameter but self"
        )
    elif not one.mark.deletes and (not parameters or len(needed) > 1):
        what = "a list of changes" if one.mark.batch_max else "the change"
        scope.problems.add(one.place, f"{one.name} takes one parameter beside self: {what}")


def _check_disjoint(scope: Scope, methods: Sequence[Marked]) -> None:
    """Every change goes to one method at most."""
    seen: dict[Any, Marked] = {}
    for one in methods:
        takes = "deletes" if one.mark.deletes else one.mark.only
        other = seen.setdefault(takes, one)
        if other is one:
            continue
        what = takes if takes == "deletes" else name_of(takes) if takes else "all changes"
        scope.problems.add(
            one.place,
            f"{one.name} takes {what} of {name_of(one.mark.source)}, as {other.name} does; "
            "give each only= another type, or one of them another group=",
        )


def _check_ids(scope: Scope, made: Sequence[Subscription]) -> None:
    seen: set[str] = set()
    for one in made:
        if one.consumer in seen or len(one.consumer.encode()) > CONSUMER_BYTES_MAX:
            why = (
                "is there twice"
                if one.consumer in seen
                else f"has more than {CONSUMER_BYTES_MAX} bytes"
            )
            scope.problems.add(scope.place, f"the consumer {one.consumer!r} {why}; change group=")
        seen.add(one.consumer)
