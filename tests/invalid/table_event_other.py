"""A method that takes none of the events."""
# expect: added takes str; the events of Count are Added | Removed: take these

from dataclasses import dataclass

from actorkalix import EventSourcedEntity, RowEffect, View, query, sql, table


@dataclass
class Row:
    n: int


@dataclass(frozen=True)
class Added:
    n: int


@dataclass(frozen=True)
class Removed:
    n: int


class Count(EventSourcedEntity[int, Added | Removed], id="count"):
    def empty_state(self) -> int:
        return 0

    def apply_event(self, state: int, event: Added | Removed) -> int:
        return state

    @query
    def get(self) -> int:
        return self.state


class Rows(View, id="rows"):
    @table("rows", source=Count)  # here
    def added(self, row: Row | None, event: str) -> RowEffect[Row]: ...

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
