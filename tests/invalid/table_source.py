"""A table whose source is none (VW-05)."""
# expect: rows takes 'rows', which is no source; name an entity's class or a topic

from dataclasses import dataclass

from actorkalix import View, sql, table


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    rows = table("rows", source="rows")  # type: ignore[call-overload]  # here

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
