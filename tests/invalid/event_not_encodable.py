"""An event that cannot be stored."""
# expect: event Added cannot be stored: by: objects of type Connection cannot be encoded

from dataclasses import dataclass

from actorkalix import Effect, EventSourcedEntity, command, query


class Connection:
    pass


@dataclass(frozen=True)
class Added:
    by: Connection


class Count(EventSourcedEntity[int, Added], id="count"):  # here
    def empty_state(self) -> int:
        return 0

    def apply_event(self, state: int, event: Added) -> int:
        return state

    @query
    def get(self) -> int:
        return self.state
