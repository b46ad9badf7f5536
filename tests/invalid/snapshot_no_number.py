"""ES-40: a snapshot_every that is no whole number."""
# expect: snapshot_every is a number of events, 0 for never, got '100'

from dataclasses import dataclass

from actorkalix import Effect, EventSourcedEntity, command, query


@dataclass(frozen=True)
class Added:
    n: int


class Count(EventSourcedEntity[int, Added], id="count", snapshot_every="100"):  # here
    def empty_state(self) -> int:
        return 0

    def apply_event(self, state: int, event: Added) -> int:
        return state

    @query
    def get(self) -> int:
        return self.state
