"""ES-14: events are told apart by their class."""
# expect: event list[int] is not a class; events are told apart by their class
# expect: event Removed is a TypedDict, which is a plain dict when it runs; make it a dataclass or msgspec.Struct
# expect: event dict is not a class of yours

from typing import TypedDict

from actorkalix import EventSourcedEntity, query


class Removed(TypedDict):
    n: int


class Count(EventSourcedEntity[int, list[int] | Removed | dict], id="count"):  # here
    def empty_state(self) -> int:
        return 0

    def apply_event(self, state: int, event: object) -> int:
        return state

    @query
    def get(self) -> int:
        return self.state
