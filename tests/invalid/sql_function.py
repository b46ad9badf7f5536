"""A function that is not there."""
# expect: one: there is no function upperr

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

    @sql("SELECT * FROM rows WHERE upperr(id) = :id")  # here
    def one(self, id: str) -> Row: ...
