"""A table without a name (VW-05)."""
# expect: rows needs the name of its table, got ' '

from dataclasses import dataclass

from actorkalix import View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    rows = table(" ", source=topic("rows", Row))  # here
    others = table("rows", source=topic("rows", Row))

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
