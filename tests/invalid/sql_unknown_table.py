"""A table that the view has not."""
# expect: one: there is no table row; did you mean rows?
# expect:    1 | SELECT * FROM row
# expect:                      ^^^

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

    @sql("SELECT * FROM row")  # here
    def one(self) -> Row: ...
