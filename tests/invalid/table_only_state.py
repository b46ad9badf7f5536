"""only= of states."""
# expect: noted takes only=Row; Note has states of one type

from dataclasses import dataclass

from actorkalix import RowEffect, ValueEntity, View, query, sql, table


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
    @table("rows", source=Note, only=Row)  # here
    def noted(self, row: Row | None, state: Row) -> RowEffect[Row]: ...

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
