"""A subscription in a view."""
# expect: on_row subscribes; only actions do: a view has @table

from dataclasses import dataclass

from actorkalix import View, sql, subscribe, table, topic


@dataclass
class Row:
    n: int


class Rows(View, id="rows"):
    rows = table("rows", source=topic("rows", Row))

    @subscribe(topic("rows", Row))  # here
    async def on_row(self, row: Row) -> None: ...

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
