"""A type that is not imported."""
# expect: on_row has a type for its parameter message that cannot be resolved (name 'Nowhere' is not defined)

from dataclasses import dataclass

from actorkalix import RowEffect, View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    @table("rows", source=topic("rows", Row))  # here
    def on_row(self, row: Row | None, message: "Nowhere") -> RowEffect[Row]: ...

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
