"""A name of a table that is too long."""
# expect: rows has a table's name of 129 bytes; it has at most 128

from dataclasses import dataclass

from actorkalix import View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    rows = table("x" * 129, source=topic("rows", Row))  # here
    others = table("rows", source=topic("rows", Row))

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
