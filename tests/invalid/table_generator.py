"""A method that yields."""
# expect: on_row is a generator; a change makes one row, return self.effects...

from dataclasses import dataclass

from actorkalix import RowEffect, View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    @table("rows", source=topic("rows", Row))  # here
    def on_row(self, row: Row | None, message: Row) -> RowEffect[Row]:
        yield row

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
