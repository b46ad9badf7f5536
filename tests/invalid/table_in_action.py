"""A table in an action."""
# expect: on_row has @table; only views have tables

from dataclasses import dataclass

from actorkalix import Action, RowEffect, handler, table, topic


@dataclass
class Row:
    n: int


class Rows(Action, id="rows"):
    @table("rows", source=topic("rows", Row))  # here
    def on_row(self, row: Row | None, message: Row) -> RowEffect[Row]: ...

    @handler
    async def one(self) -> None: ...
