"""A view whose entity is not in the service."""
# expect: Rows makes the table 'rows' of Note; list Note in components=[...] too

from dataclasses import dataclass

from actorkalix import Service, ValueEntity, View, query, sql, table


@dataclass
class Row:
    n: int


class Note(ValueEntity[Row], id="note"):
    def empty_state(self) -> Row:
        return Row(0)

    @query
    def get(self) -> Row:
        return self.state


class Rows(View, id="rows"):
    rows = table("rows", source=Note)  # here

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError


Service("shop", components=[Rows])
