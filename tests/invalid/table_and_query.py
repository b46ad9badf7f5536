"""A method that makes rows and answers."""
# expect: one is marked @table and @sql; keep one

from dataclasses import dataclass

from actorkalix import RowEffect, View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    rows = table("rows", source=topic("rows", Row))

    @sql("SELECT * FROM rows")  # here
    @table("more", source=topic("rows", Row))
    def one(self, row: Row | None, message: Row) -> RowEffect[Row]: ...
