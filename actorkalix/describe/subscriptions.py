"""Subscriptions of actions: which method takes which changes or messages of which source."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, get_args

from actorkalix.describe.descriptors import ChangeHandler, Subscription, described
from actorkalix.describe.handlers import Scope
from actorkalix.describe.marked import Marked, has_messages, is_stream, is_topic, marked_methods
from actorkalix.describe.shapes import name_of
from actorkalix.describe.snapshots import check_snapshots, is_of_source
from actorkalix.describe.streams import taking_problem
from actorkalix.describe.topics import taken_type
from actorkalix.model.component import Component
from actorkalix.model.entities import EventSourcedEntity, ValueEntity
from actorkalix.model.names import topic_problem
from actorkalix.model.sources import OnFailure, SourceMark
from actorkalix.model.workflows import Workflow

CONSUMER_BYTES_MAX = 200
"""Dead letters have it in their ids, which have 256 bytes, beside a shard and an offset."""

BATCH_MAX = 10_000
"""Changes that one call of a handler may take; a list of them is one payload."""


def describe_subscriptions(scope: Scope, component_id: str) -> tuple[Subscription, ...]:
    """The consumers of an action; what is wrong goes to `scope.problems`."""
    groups: dict[tuple[str, Any], list[Marked]] = {}
    for one in marked_methods(scope.cls):
        source = one.mark.source
        takes = one.mark.kind == "subscribe" or is_of_source(one.mark)
        if takes and _is_sound(scope, one):
            place = source.within if has_messages(source) else source
            groups.setdefault((one.mark.group or "", place), []).append(one)
    made = tuple(_subscription(scope, component_id, methods) for methods in groups.values())
    _check_ids(scope, made)
    return made


def source_name(source: Any) -> str:
    """What a source is called: the id of a component, or the name of a topic or stream."""
    if has_messages(source):
        return source.label
    component = described(source)
    assert component is not None, "a source has messages or is a component"
    return component.component_id


def _subscription(scope: Scope, component_id: str, methods: Sequence[Marked]) -> Subscription:
    plain = [one for one in methods if not is_of_source(one.mark)]
    first = (plain or methods)[0]
    options = {_options(one.mark) for one in plain}
    if len(options) > 1:
        names = " and ".join(one.name for one in plain)
        scope.problems.add(
            first.place,
            f"{names} are one consumer of {_called(first.mark.source)}; "
            "give them the same batch_max, on_failure and start_from, or another group=",
        )
    _check_disjoint(scope, plain)
    check_snapshots(scope, methods)
    batch_max, on_failure, start_from = _options(first.mark)
    name = first.mark.group or source_name(first.mark.source)
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
        *(one.name, one.fn, one.mark.only, one.mark.deletes, batch, not waits, one.place),
        takes=taken_type(scope, one) if has_messages(one.mark.source) else Any,
        snapshots=is_of_source(one.mark),
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
    if has_messages(source):
        yield from _wrong_with_messages(mark)
    elif not (isinstance(source, type) and issubclass(source, Component)):
        yield f"subscribes to {source!r}, which is no source; name an entity's class"
    elif not issubclass(source, (EventSourcedEntity, ValueEntity, Workflow)):
        yield f"subscribes to {source.__name__}, which has no changes; name an entity's class"
    elif described(source) is None:
        yield f"subscribes to {source.__name__}, which is abstract; name a class with an id"
    else:
        yield from _wrong_type(source, mark.only)
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


def _wrong_type(source: Any, only: Any) -> Iterator[str]:
    component = described(source)
    if only is None or component is None or component.kind != "event_sourced":
        return
    events = [one.type for one in component.events]
    if only not in events:
        union = " | ".join(name_of(one) for one in events)
        said = f"takes only={name_of(only)}, which {source.__name__} never persists"
        yield f"{said}; its events are {union}"


def _wrong_with_messages(mark: SourceMark) -> Iterator[str]:
    problem = topic_problem(mark.source.name) if is_topic(mark.source) else ""
    if problem:
        yield f"subscribes to a topic whose name {problem}"
    problem = taking_problem(mark) if is_stream(mark.source) else ""
    if problem:
        yield problem
    if mark.deletes:
        kind = mark.source.kind
        yield f"takes notices of deletes, which {kind}s do not have; name an entity's class"
    if mark.only is not None and not isinstance(mark.only, type):
        yield f"takes only={mark.only!r}; it is one class, whose messages it takes"


def _called(source: Any) -> str:
    return f"{source.kind}({source.label!r})" if has_messages(source) else name_of(source)


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
        thing = "message" if has_messages(one.mark.source) else "change"
        thing = "state" if is_of_source(one.mark) else thing
        what = f"a list of {thing}s" if one.mark.batch_max else f"the {thing}"
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
            f"{one.name} takes {what} of {_called(one.mark.source)}, as {other.name} does; "
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
