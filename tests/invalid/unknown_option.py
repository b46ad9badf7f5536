"""A class option that the kind has not."""
# expect: unknown class option snapshot_evry=; did you mean snapshot_every=?

from dataclasses import dataclass

from actorkalix import EventSourcedEntity, query


@dataclass(frozen=True)
class Added:
    n: int


class Count(EventSourcedEntity[int, Added], id="count", snapshot_evry=3):  # here
    def empty_state(self) -> int:
        return 0

    def apply_event(self, state: int, event: Added) -> int:
        return state

    @query
    def get(self) -> int:
        return self.state
