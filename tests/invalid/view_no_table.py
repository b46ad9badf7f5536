"""A view without a table (VW-05)."""
# expect: has no table; mark a method with @table("rows", source=...)

from dataclasses import dataclass

from actorkalix import View, sql


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):  # here
    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
