"""A snapshot of another type."""
# expect: first takes str; a snapshot of Count is int

from dataclasses import dataclass

from actorkalix import EventSourcedEntity, RowEffect, View, on_snapshot, query, sql, table


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
    @table("rows", source=Count)
    def added(self, row: Row | None, event: Added | Removed) -> RowEffect[Row]: ...

    @on_snapshot("rows")  # here
    def first(self, state: str) -> RowEffect[Row]: ...

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
