"""A parenthesis that does not end."""
# expect: one: ) is missing, there is the end of the query
# expect:    1 | SELECT * FROM rows WHERE (n = 1
# expect:                                       ^

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

    @sql("SELECT * FROM rows WHERE (n = 1")  # here
    def one(self) -> Row: ...
