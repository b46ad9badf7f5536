"""Events as rows (VW-05, VW-16)."""
# expect: rows takes Count, which has events; write a method that makes rows of its events

from dataclasses import dataclass

from actorkalix import EventSourcedEntity, View, query, sql, table


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
    rows = table("rows", source=Count)  # here

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError
