"""An object beside other parameters."""
# expect: one takes wanted, an object, beside other parameters; take its fields, or it alone

from dataclasses import dataclass

from actorkalix import View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    rows = table("rows", source=topic("rows", Row))

    @sql("SELECT * FROM rows WHERE n = :n AND n < :most")  # here
    def one(self, wanted: Row, most: int) -> Row: ...
