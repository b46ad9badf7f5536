"""Two tables whose names differ in case alone."""
# expect: others names the table 'Rows', another 'rows': to SQLite they are one

from dataclasses import dataclass

from actorkalix import View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    rows = table("rows", source=topic("rows", Row))
    others = table("Rows", source=topic("rows", Row))  # here

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
