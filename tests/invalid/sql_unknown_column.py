"""A column that the table has not, with its place in the text."""
# expect: one: there is no column idd; did you mean id?
# expect:    3 | WHERE idd = :id
# expect:              ^^^

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

    @sql("SELECT *\nFROM rows\nWHERE idd = :id")  # here
    def one(self, id: str) -> Row: ...
