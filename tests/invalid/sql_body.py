"""A body under @sql (VW-07)."""
# expect: one has a body that never runs: the SQL is the body; write raise NotImplementedError

from dataclasses import dataclass

from actorkalix import View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    rows = table("rows", source=topic("rows", Row))

    @sql("SELECT * FROM rows")  # here
    def one(self) -> Row:
        return Row(1)
