"""The event handler is no command."""
# expect: apply_event is called by the runtime, not by clients; take the mark away

from dataclasses import dataclass

from actorkalix import Effect, EventSourcedEntity, command, query


@dataclass(frozen=True)
class Added:
    n: int


class Count(EventSourcedEntity[int, Added], id="count"):
    def empty_state(self) -> int:
        return 0

    @query  # here
    def apply_event(self, state: int, event: Added) -> int:
        return state

    @query
    def get(self) -> int:
        return self.state
