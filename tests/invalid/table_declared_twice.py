"""A table declared twice."""
# expect: again declares the table 'rows' again, as rows

from dataclasses import dataclass

from actorkalix import View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    rows = table("rows", source=topic("rows", Row))
    again = table("rows", source=topic("rows", Row))  # here

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
