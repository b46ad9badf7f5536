"""An object in an object as parameter (VW-62)."""
# expect: one takes deep.row, an object in an object; fields of parameters are plain values

from dataclasses import dataclass

from actorkalix import View, sql, table, topic


@dataclass
class Row:
    n: int


@dataclass
class Deep:
    row: Row


class Rows(View, id="rows"):
    rows = table("rows", source=topic("rows", Row))

    @sql("SELECT * FROM rows WHERE n = :n")  # here
    def one(self, deep: Deep) -> Row: ...
