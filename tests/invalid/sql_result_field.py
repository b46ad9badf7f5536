"""A field that nothing is selected for (VW-64)."""
# expect: one: nothing selects the result's total; there is rows

from dataclasses import dataclass
from datetime import datetime

from actorkalix import View, sql, table, topic


@dataclass
class Row:
    id: str
    n: int
    at: datetime
    tags: list[str]


@dataclass
class Page:
    rows: list[Row]
    total: int


class Rows(View, id="rows"):
    rows = table("rows", source=topic("rows", Row))

    @sql("SELECT * AS rows FROM rows")  # here
    def one(self) -> Page: ...
