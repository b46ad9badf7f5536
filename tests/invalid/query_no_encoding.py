"""A text that is none."""
# expect: one has no SQL, got

from dataclasses import dataclass

from actorkalix import View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    rows = table("rows", source=topic("rows", Row))

    @sql("SELECT * FROM rows WHERE '\ud800' = ''")  # here
    def one(self) -> Row: ...
