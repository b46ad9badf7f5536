"""A table with and without a method."""
# expect: rows declares the table 'rows' without a method; on_row makes its rows, take rows away

from dataclasses import dataclass

from actorkalix import RowEffect, View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    rows = table("rows", source=topic("rows", Row))  # here

    @table("rows", source=topic("rows", Row))
    def on_row(self, row: Row | None, message: Row) -> RowEffect[Row]: ...

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
