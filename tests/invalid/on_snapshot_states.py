"""Snapshots of a value entity (VW-05)."""
# expect: first takes snapshots, which Note does not have; only events do

from dataclasses import dataclass

from actorkalix import RowEffect, ValueEntity, View, on_snapshot, query, sql, table


@dataclass
class Row:
    n: int


class Note(ValueEntity[Row], id="note"):
    def empty_state(self) -> Row:
        return Row(0)

    @query
    def get(self) -> Row:
        return self.state


class Rows(View, id="rows"):
    rows = table("rows", source=Note)

    @on_snapshot("rows")  # here
    def first(self, state: Row) -> RowEffect[Row]: ...

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
