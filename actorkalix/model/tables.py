"""Tables of views: whose changes make their rows; and what begins with snapshots.

Marks only; `describe` reads them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from actorkalix.errors import DefinitionError
from actorkalix.model.handlers import UNBOUND, Method, StreamMethod
from actorkalix.model.sources import Source, SourceMark, add_mark

if TYPE_CHECKING:
    from actorkalix.model.actions import Action
    from actorkalix.model.effects import RowEffect
    from actorkalix.model.entities import EventSourcedEntity, ValueEntity
    from actorkalix.model.views import View
    from actorkalix.model.workflows import Workflow

S = TypeVar("S")
E = TypeVar("E")
M = TypeVar("M")
F = TypeVar("F", bound=Callable[..., Any])
V = TypeVar("V", bound="View")
A = TypeVar("A", bound="Action")
RT = TypeVar("RT")
Row = TypeVar("Row")


class Table(Generic[M]):
    """What `table(...)` gives: a mark for a handler of changes `M`, or a table without one.

    Attributes:
        mark: what it says.
        file: where it is written.
        line: there.
    """

    def __init__(self, mark: SourceMark, file: str, line: int) -> None:
        self.mark = mark
        self.file = file
        self.line = line
        add_mark(self, mark)

    def __call__(
        self, fn: Callable[[V, Row | None, M], RowEffect[Row]], /
    ) -> Callable[[V, Row | None, M], RowEffect[Row]]:
        """Mark the method.

        Raises:
            DefinitionError: it marks no method, but a class for instance (VW-05).
        """
        return _marked(fn, self.mark)

    def __repr__(self) -> str:
        return f"<table {self.mark.table!r}>"


@overload
def table(
    name: str, /, *, source: type[EventSourcedEntity[Any, Any]] | Source[Any], only: type[M]
) -> Table[M]: ...
@overload
def table(name: str, /, *, source: type[EventSourcedEntity[Any, E]]) -> Table[E]: ...
@overload
def table(name: str, /, *, source: type[ValueEntity[S] | Workflow[S]]) -> Table[S]: ...
@overload
def table(name: str, /, *, source: Source[M]) -> Table[M]: ...
def table(name: str, /, *, source: Any, only: Any = None) -> Table[Any]:
    """Keep the rows of a table from the changes of a source, a row for every entity.

    Above a method, the method makes the rows: it gets the row as it is, or None, and the change,
    and returns what becomes of it (`self.effects`). Several methods share a table when each takes
    `only=` one type; at most one of them takes the rest. Where the state of a value entity or
    workflow, or a topic's message, is the row already, no method is needed:

        profiles = table("profiles", source=Profile)

    A row belongs to its subject: the id of the entity or workflow, or the subject of the message.

    Args:
        name: of the table, as the view's SQL says it.
        source: an entity or workflow class, `topic(...)`, or `stream(service, name)`.
        only: changes of this type alone; the rest goes to another method of the table, or is
            skipped.
    """
    caller = sys._getframe(1)
    mark = SourceMark("table", source, only, table=name)
    return Table(mark, caller.f_code.co_filename, caller.f_lineno)


def on_delete(
    name: str, /
) -> Callable[
    [Callable[[V, Row | None], RowEffect[Row]]], Callable[[V, Row | None], RowEffect[Row]]
]:
    """What happens to the row when its source entity is deleted; without it the row is removed.

    Args:
        name: of the table.
    """

    def add(
        method: Callable[[V, Row | None], RowEffect[Row]],
    ) -> Callable[[V, Row | None], RowEffect[Row]]:
        return _marked(method, SourceMark("on_delete", table=name))

    return add


@overload
def on_snapshot(
    name: str, /
) -> Callable[[Callable[[V, S], RowEffect[Row]]], Callable[[V, S], RowEffect[Row]]]: ...
@overload
def on_snapshot(
    source: type[EventSourcedEntity[S, Any]], /, *, group: str | None = None
) -> Callable[[Callable[[A, S], RT]], Callable[[A, S], RT]]: ...
def on_snapshot(where: Any, /, *, group: str | None = None) -> Any:
    """Begin an event sourced entity with its newest snapshot, not with its first event (VW-21).

    In a view: while a table is new, or built anew, the method gets the state that an entity's
    newest snapshot holds, in place of all events that led to it, and what it returns is the row,
    whatever the row was; later events follow, to the table's other methods. It is to make the row
    that the events would have made.

    In an action: the same for its `@subscribe` to this entity (AC-48). It takes snapshots from
    where it begins until it has been at the end of the log once; so its `start_from` is
    "beginning", and what it has to do for every single event it cannot do.

    Entities that have no snapshot yet begin with their first event (`snapshot_every`). After a
    crash an entity may come with a second, newer snapshot.

    Args:
        where: the name of the view's table; in an action, the entity's class.
        group: of the subscription, as its `@subscribe` says it.
    """
    named = isinstance(where, str)
    source, table = (None, where) if named else (where, "")

    def add(method: Callable[..., Any]) -> Callable[..., Any]:
        return _marked(method, SourceMark("on_snapshot", source, group=group, table=table))

    return add


def _marked(method: F, mark: SourceMark) -> F:
    given: Any = method
    is_method = callable(given) and hasattr(given, "__dict__") and not isinstance(given, UNBOUND)
    if not is_method and not isinstance(given, (Method, StreamMethod)):
        of = mark.table or getattr(mark.source, "__name__", mark.source)
        where = "an action" if mark.source is not None and not mark.table else "a view"
        raise DefinitionError(f"@{mark.kind}({of!r}) marks a method of {where}, not {method!r}")
    return add_mark(method, mark)
