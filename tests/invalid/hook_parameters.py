"""ES-15: an event handler with other parameters."""
# expect: apply_event takes self, state, event; the runtime gives it nothing else

from dataclasses import dataclass

from actorkalix import Effect, EventSourcedEntity, command, query


@dataclass(frozen=True)
class Added:
    n: int


class Count(EventSourcedEntity[int, Added], id="count"):
    def empty_state(self) -> int:
        return 0

    def apply_event(self, event: Added) -> int:  # here
        return event.n

    @query
    def get(self) -> int:
        return self.state
