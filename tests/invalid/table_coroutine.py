"""A method that waits."""
# expect: on_row is a coroutine; rows are made without waiting, write a plain def

from dataclasses import dataclass

from actorkalix import RowEffect, View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    @table("rows", source=topic("rows", Row))  # here
    async def on_row(self, row: Row | None, message: Row) -> RowEffect[Row]: ...

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
