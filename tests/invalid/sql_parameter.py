"""A parameter in the SQL that the method has not."""
# expect: one: the method has no parameter idd;

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

    @sql("SELECT * FROM rows WHERE id = :idd -- :neither")  # here
    def one(self, id: str) -> Row: ...
