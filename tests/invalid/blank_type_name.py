"""RT-61: a blank type name."""
# expect: a type name has 1 to 128 bytes, got ''

from dataclasses import dataclass

from actorkalix import EventSourcedEntity, query, type_name


@type_name("")  # here
@dataclass(frozen=True)
class Added:
    n: int


class Count(EventSourcedEntity[int, Added], id="count"):
    def empty_state(self) -> int:
        return 0

    def apply_event(self, state: int, event: Added) -> int:
        return state

    @query
    def get(self) -> int:
        return self.state
