"""An effect that does not say of what."""
# expect: on_row returns RowEffect; write -> RowEffect[...] with its rows' class

from dataclasses import dataclass

from actorkalix import RowEffect, View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    @table("rows", source=topic("rows"))  # here
    def on_row(self, row: Row | None, message: object) -> RowEffect: ...

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
