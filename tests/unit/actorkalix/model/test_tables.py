"""Tables are marks: of methods, or attributes of the class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from actorkalix import RowEffect, View, on_delete, on_snapshot, sql, table, topic
from actorkalix.errors import DefinitionError
from actorkalix.model.sources import SourceMark, source_marks_of
from actorkalix.model.tables import Table

from .shop import Added, Basket, Shop


@dataclass
class Row:
    count: int


class Counts(View, id="counts-of-tables"):
    @table("shops", source=Shop)
    def on_shop(self, row: Row | None, event: Added) -> RowEffect[Row]:
        return self.effects.update_row(Row(row.count + 1 if row else 1))

    @on_delete("shops")
    def on_gone(self, row: Row | None) -> RowEffect[Row]:
        return self.effects.delete_row()

    @on_snapshot("shops")
    def on_basket(self, state: Basket) -> RowEffect[Row]:
        return self.effects.update_row(Row(len(state.items)))

    rows = table("rows", source=topic("rows", Row))

    @sql("SELECT * FROM rows")
    def first(self) -> Row:
        raise NotImplementedError


def marks(name: str) -> tuple[SourceMark, ...]:
    return source_marks_of(vars(Counts)[name])


def test_marks_say_what_was_written() -> None:
    assert marks("on_shop") == (SourceMark("table", Shop, table="shops"),)
    assert marks("on_gone") == (SourceMark("on_delete", table="shops"),)
    assert marks("on_basket") == (SourceMark("on_snapshot", table="shops"),)
    assert marks("rows") == (SourceMark("table", topic("rows", Row), table="rows"),)


def test_a_table_without_a_method_knows_where_it_stands() -> None:
    found = vars(Counts)["rows"]
    assert isinstance(found, Table)
    line = Path(__file__).read_text().splitlines()[found.line - 1]
    assert (found.file, line.strip()) == (
        __file__,
        'rows = table("rows", source=topic("rows", Row))',
    )
    assert str(vars(Counts)["rows"]) == "<table 'rows'>"


@pytest.mark.parametrize("mark", [table("t", source=Shop), on_delete("t"), on_snapshot("t")])
def test_a_class_is_no_method(mark: Any) -> None:
    """VW-05: the table of a view is no mark of its class."""
    with pytest.raises(DefinitionError, match=r"\('t'\) marks a method of a view, not <class"):
        mark(Row)
    with pytest.raises(DefinitionError, match="not 3"):
        mark(3)
