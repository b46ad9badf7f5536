"""A language that no text search has (VW-39)."""
# expect: one: a language in quotes is wanted, one of danish, dutch

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

    @sql("SELECT * FROM rows WHERE text_search(id, :q, 'klingon')")  # here
    def one(self, q: str) -> Row: ...
