"""Two methods for deletes (VW-05)."""
# expect: again is @on_delete of 'rows', as gone is; a table has one

from dataclasses import dataclass

from actorkalix import RowEffect, ValueEntity, View, on_delete, query, sql, table


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

    @on_delete("rows")
    def gone(self, row: Row | None) -> RowEffect[Row]: ...

    @on_delete("rows")  # here
    def again(self, row: Row | None) -> RowEffect[Row]: ...

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
