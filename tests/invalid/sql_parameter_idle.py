"""A parameter that the SQL does not name."""
# expect: one has a parameter least, which its SQL does not name; write :least in it, or take it away

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

    @sql("SELECT * FROM rows WHERE n = :n")  # here
    def one(self, n: int, least: int = 0) -> Row: ...
