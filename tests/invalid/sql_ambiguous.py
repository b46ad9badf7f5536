"""A column that two tables have (VW-30)."""
# expect: one: id is ambiguous: a and b have one; write a.id

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
class Id:
    id: str


class Rows(View, id="rows"):
    rows = table("rows", source=topic("rows", Row))

    @sql("SELECT id FROM rows AS a JOIN rows AS b ON a.id = b.id")  # here
    def one(self) -> Id: ...
