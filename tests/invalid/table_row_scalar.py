"""A scalar as row (VW-05)."""
# expect: table 'rows': int has no fields; rows are dataclasses, msgspec.Structs and the like

from dataclasses import dataclass

from actorkalix import RowEffect, View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    @table("rows", source=topic("rows", Row))  # here
    def on_row(self, row: int | None, message: Row) -> RowEffect[int]: ...

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
