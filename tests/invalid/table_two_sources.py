"""A table with two sources."""
# expect: others takes topic('b') into the table 'rows', rows topic('a'); a table has one source

from dataclasses import dataclass

from actorkalix import RowEffect, View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    @table("rows", source=topic("a", Row))
    def rows(self, row: Row | None, message: Row) -> RowEffect[Row]: ...

    @table("rows", source=topic("b", Row))  # here
    def others(self, row: Row | None, message: Row) -> RowEffect[Row]: ...

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
