"""A table over an abstract class."""
# expect: rows takes Base, which is abstract; name a class with an id

from dataclasses import dataclass

from actorkalix import ValueEntity, View, sql, table


@dataclass
class Row:
    n: int


class Base(ValueEntity[Row], abstract=True): ...


class Rows(View, id="rows"):
    rows = table("rows", source=Base)  # here

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
