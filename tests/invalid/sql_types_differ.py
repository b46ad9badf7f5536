"""A number and a text (VW-34)."""
# expect: one: integer and text do not compare; declare the parameter id as int

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

    @sql("SELECT * FROM rows WHERE n = :id")  # here
    def one(self, id: str) -> Row: ...
