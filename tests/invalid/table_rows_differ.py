"""Two classes of rows in one table."""
# expect: removed makes rows of Other for the table 'rows', added of Row; a table has one class

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


@dataclass
class Other:
    n: int


class Rows(View, id="rows"):
    @table("rows", source=Count, only=Added)
    def added(self, row: Row | None, event: Added) -> RowEffect[Row]: ...

    @table("rows", source=Count, only=Removed)  # here
    def removed(self, row: Row | None, event: Removed) -> RowEffect[Other]: ...

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
