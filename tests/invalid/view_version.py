"""A version that is no number."""
# expect: version is a number from 1, got 0

from dataclasses import dataclass

from actorkalix import View, sql, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows", version=0):  # here
    rows = table("rows", source=topic("rows", Row))

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
