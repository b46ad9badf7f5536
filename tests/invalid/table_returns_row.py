"""A method that returns the row itself."""
# expect: on_row returns Row; write -> RowEffect[Row] and return self.effects.update_row(...)

from dataclasses import dataclass

from actorkalix import View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    @table("rows", source=topic("rows", Row))  # here
    def on_row(self, row: Row | None, message: Row) -> Row: ...

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
