"""Literals of other types, all at once (VW-34, VW-35)."""
# expect: one: '2026-13-01' is no time; write it as
# expect: one: 'x' is a text, the other side a number; take the quotes away

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

    @sql("SELECT * FROM rows WHERE at > '2026-13-01' AND n = 'x'")  # here
    def one(self) -> Row: ...
