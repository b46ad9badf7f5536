"""Updates of a query that does not stream (VW-05)."""
# expect: one has stream_updates=True; write -> AsyncIterator[Row]

from dataclasses import dataclass

from actorkalix import View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    rows = table("rows", source=topic("rows", Row))

    @sql("SELECT * FROM rows", stream_updates=True)  # here
    def one(self) -> Row: ...
