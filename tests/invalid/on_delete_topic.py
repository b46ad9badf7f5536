"""Deletes of a topic (VW-19)."""
# expect: gone takes notices of deletes, which topic('rows') does not have

from dataclasses import dataclass

from actorkalix import RowEffect, View, on_delete, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    rows = table("rows", source=topic("rows", Row))

    @on_delete("rows")  # here
    def gone(self, row: Row | None) -> RowEffect[Row]: ...

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
