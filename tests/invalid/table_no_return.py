"""A method without a return type."""
# expect: on_row has no return type; write -> RowEffect[...] with its rows' class

from dataclasses import dataclass

from actorkalix import View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    @table("rows", source=topic("rows", Row))  # here
    def on_row(self, row: Row | None, message: Row): ...

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
