"""A method for deletes with a parameter too many (VW-05)."""
# expect: gone takes other parameters; write def gone(self, row)

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

    @on_delete("rows")  # here
    def gone(self, row: Row | None, state: Row) -> RowEffect[Row]: ...

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
