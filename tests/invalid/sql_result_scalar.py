"""A scalar as result (VW-05)."""
# expect: one: int is no result; declare a class whose fields

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

    @sql("SELECT n FROM rows")  # here
    def one(self) -> int: ...
