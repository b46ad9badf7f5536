"""A row that may be None."""
# expect: on_row returns RowEffect[Row | None]; a row is never None, delete_row() removes it

from dataclasses import dataclass

from actorkalix import RowEffect, View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    @table("rows", source=topic("rows"))  # here
    def on_row(self, row: Row | None, message: object) -> RowEffect[Row | None]: ...

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
