"""RT-61: two events under one type name."""
# expect: are both stored as 'added'; give one another @type_name

from dataclasses import dataclass

from actorkalix import EventSourcedEntity, query, type_name


@type_name("added")
@dataclass(frozen=True)
class Added:
    n: int


@type_name("added")
@dataclass(frozen=True)
class Gained:
    n: int


class Count(EventSourcedEntity[int, Added | Gained], id="count"):  # here
    def empty_state(self) -> int:
        return 0

    def apply_event(self, state: int, event: Added | Gained) -> int:
        return state

    @query
    def get(self) -> int:
        return self.state
