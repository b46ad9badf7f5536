"""A table over an action."""
# expect: rows takes Errand, which has no changes; name an entity's class

from dataclasses import dataclass

from actorkalix import Action, View, handler, sql, table


@dataclass
class Row:
    n: int


class Errand(Action, id="errand"):
    @handler
    async def run(self) -> None: ...


class Rows(View, id="rows"):
    rows = table("rows", source=Errand)  # here

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
