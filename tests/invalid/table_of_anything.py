"""Messages of any type as rows."""
# expect: rows says no class of rows; write a method, or say topic(name, Class)

from dataclasses import dataclass

from actorkalix import View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    rows = table("rows", source=topic("rows"))  # here

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
