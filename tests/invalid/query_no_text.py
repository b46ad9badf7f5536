"""A query without text."""
# expect: one has no SQL, got ' '; write @sql("SELECT * FROM ...")

from dataclasses import dataclass

from actorkalix import View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    rows = table("rows", source=topic("rows", Row))

    @sql(" ")  # here
    def one(self) -> Row: ...
