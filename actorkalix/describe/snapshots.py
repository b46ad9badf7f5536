"""Methods of actions that take snapshots of entities: `@on_snapshot(ShoppingCart)`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from actorkalix.describe.descriptors import described
from actorkalix.describe.handlers import Scope
from actorkalix.describe.marked import Marked
from actorkalix.describe.row_methods import accepts
from actorkalix.describe.shapes import name_of
from actorkalix.describe.topics import taken_type
from actorkalix.model.entities import EventSourcedEntity
from actorkalix.model.sources import SourceMark


def is_of_source(mark: SourceMark) -> bool:
    """Whether a mark takes snapshots of a source, as actions do, and not into a table."""
    return mark.kind == "on_snapshot" and not mark.table


def check_snapshots(scope: Scope, methods: Sequence[Marked]) -> None:
    """Note what is wrong with the methods of one consumer that take snapshots (AC-48).

    Args:
        scope: of the action.
        methods: all that take something of one source for one consumer.
    """
    taking = [one for one in methods if is_of_source(one.mark)]
    others = [one for one in methods if not is_of_source(one.mark) and not one.mark.deletes]
    for one in taking[1:]:
        said = f"takes snapshots of {name_of(one.mark.source)}, as {taking[0].name} does; keep one"
        scope.problems.add(one.place, f"{one.name} {said}")
    for one in taking:
        for said in _wrong(scope, one, others):
            scope.problems.add(one.place, f"{one.name} {said}")


def _wrong(scope: Scope, one: Marked, others: Sequence[Marked]) -> Iterator[str]:
    source: Any = one.mark.source
    where = name_of(source)
    if not issubclass(source, EventSourcedEntity):
        yield f"takes snapshots, which {where} does not have; only event sourced entities do"
        return
    if not others:
        group = f", group={one.mark.group!r}" if one.mark.group else ""
        yield f"takes snapshots and nobody the events; mark a method @subscribe({where}{group})"
    for other in others:
        start = other.mark.start_from
        if start != "beginning":
            said = "a datetime" if isinstance(start, datetime) else repr(start)
            yield f"takes snapshots of what was before, and {other.name} starts from {said}"
    state = getattr(described(source), "state", None)
    takes = taken_type(scope, one) if _parameters(one) else Any
    if state is not None and not accepts(takes, state.type):
        yield f"takes {name_of(takes)}; a snapshot of {where} is {name_of(state.type)}"


def _parameters(one: Marked) -> int:
    try:
        return len(inspect.signature(one.fn).parameters) - 1
    except (TypeError, ValueError):
        return 0
