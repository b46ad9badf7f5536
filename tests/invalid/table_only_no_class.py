"""only= that is no class."""
# expect: on_row takes only=['Row']; it is one class

from dataclasses import dataclass

from actorkalix import RowEffect, View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    @table("rows", source=topic("rows"), only=["Row"])  # here
    def on_row(self, row: Row | None, message: object) -> RowEffect[Row]: ...

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
