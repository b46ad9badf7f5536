"""A source that is a list."""
# expect: rows takes [<class 'int'>], which is no source; name an entity's class or a topic

from dataclasses import dataclass

from actorkalix import View, sql, table


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    rows = table("rows", source=[int])  # here

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
