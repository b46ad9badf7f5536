"""A query that writes."""
# expect: one: a query only reads; rows are changed by handlers of tables

from dataclasses import dataclass
from datetime import datetime

from actorkalix import View, sql, table, topic


@dataclass
class Row:
    id: str
    n: int
    at: datetime
    tags: list[str]


class Rows(View, id="rows"):
    rows = table("rows", source=topic("rows", Row))

    @sql("UPDATE rows SET n = 1")  # here
    def one(self) -> Row: ...
