"""ES-40: a negative snapshot_every."""
# expect: snapshot_every is a number of events, 0 for never, got -1

from dataclasses import dataclass

from actorkalix import Effect, EventSourcedEntity, command, query


@dataclass(frozen=True)
class Added:
    n: int


class Count(EventSourcedEntity[int, Added], id="count", snapshot_every=-1):  # here
    def empty_state(self) -> int:
        return 0

    def apply_event(self, state: int, event: Added) -> int:
        return state

    @query
    def get(self) -> int:
        return self.state
