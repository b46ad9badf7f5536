"""A method with other parameters (VW-05)."""
# expect: on_row takes other parameters; write def on_row(self, row, change)

from dataclasses import dataclass

from actorkalix import RowEffect, View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    @table("rows", source=topic("rows", Row))  # here
    def on_row(self, message: Row) -> RowEffect[Row]: ...

    third = table("rows2", source=topic("rows", Row))

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
