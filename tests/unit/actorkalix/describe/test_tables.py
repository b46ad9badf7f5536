"""Tables that are well: who takes which change of which source. Bad ones are in tests/invalid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from actorkalix import (
    EventSourcedEntity,
    RowEffect,
    ValueEntity,
    View,
    on_delete,
    on_snapshot,
    query,
    sql,
    table,
    topic,
)
from actorkalix.describe import descriptor_of
from actorkalix.describe.descriptors import TableDescriptor

T = TypeVar("T")


@dataclass(frozen=True)
class Added:
    n: int


@dataclass(frozen=True)
class Removed:
    n: int


@dataclass(frozen=True)
class Cleared:
    pass


Change = Added | Removed | Cleared


@dataclass(frozen=True)
class Row:
    n: int


class Count(EventSourcedEntity[Row, Change], id="tables-count"):
    def empty_state(self) -> Row:
        return Row(0)

    def apply_event(self, state: Row, event: Change) -> Row:
        return state

    @query
    def get(self) -> Row:
        return self.state


class Note(ValueEntity[Row], id="tables-note"):
    def empty_state(self) -> Row:
        return Row(0)

    @query
    def get(self) -> Row:
        return self.state


class Rows(View, abstract=True):
    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError


class ByType(Rows, id="tables-by-type"):
    @table("rows", source=Count)
    def other(self, row: Row | None, event: Change) -> RowEffect[Row]:
        return self.effects.delete_row()

    @table("rows", source=Count, only=Added)
    def added(self, row: Row | None, event: Change) -> RowEffect[Row]:
        return self.effects.update_row(Row(1))

    @on_delete("rows")
    def gone(self, row: Row | None) -> RowEffect[Row]:
        return self.effects.ignore()

    @on_snapshot("rows")
    def first(self, state: Row) -> RowEffect[Row]:
        return self.effects.update_row(state)


class Some(Rows, id="tables-some"):
    @table("rows", source=Count, only=Added)
    def added(self, row: Row | None, event: Added) -> RowEffect[Row]:
        return self.effects.update_row(Row(1))


class Plain(Rows, id="tables-plain"):
    rows = table("rows", source=Note)
    messages = table("messages", source=topic("rows", Row))

    @table("any", source=topic("any"))
    def on_any(self, row: Row | None, message: object) -> RowEffect[Row]:
        return self.effects.ignore()


class Typed(Rows, Generic[T], abstract=True):
    @table("rows", source=topic("rows"))
    def on_row(self, row: Row | None, message: T) -> RowEffect[Row]:
        return self.effects.ignore()


class OfRows(Typed[Row], id="tables-of-rows"):
    pass


def tables(cls: Any) -> dict[str, TableDescriptor]:
    view = descriptor_of(cls).view
    assert view is not None
    return dict(view.tables)


def test_a_change_goes_to_the_method_that_takes_its_type() -> None:
    """VW-11: whoever takes one type comes before the one that takes the rest."""
    found = tables(ByType)["rows"]
    names = [one.name if (one := found.handler_of(c(1))) else "" for c in (Added, Removed)]
    assert names == ["added", "other"]
    assert [one.only for one in found.handlers] == [Added, None]
    assert found.source is Count
    assert found.on_delete is not None
    assert found.on_snapshot is not None
    assert (found.on_delete.name, found.on_snapshot.name) == ("gone", "first")
    assert not found.pass_through


def test_without_a_rest_changes_are_ignored() -> None:
    """VW-17: `only=` says that the others do not count."""
    found = tables(Some)["rows"]
    assert found.handler_of(Cleared()) is None
    assert found.handler_of(Added(1)) is found.handlers[0]


def test_states_and_messages_may_be_the_rows() -> None:
    """VW-16."""
    found = tables(Plain)
    assert {name: one.pass_through for name, one in found.items()} == {
        "rows": True,
        "messages": True,
        "any": False,
    }
    assert [one.shape.row for one in found.values()] == [Row, Row, Row]
    assert found["rows"].on_delete is None
    assert found["any"].handlers[0].takes is object


def test_type_variables_of_bases_have_their_types() -> None:
    assert tables(OfRows)["rows"].handlers[0].takes is Row


def test_inherited_tables_have_their_places() -> None:
    found = tables(OfRows)["rows"]
    assert found.place.file == __file__
    assert found.handlers[0].place == found.place
