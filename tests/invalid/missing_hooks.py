"""ES-10, ES-15: no empty state, no event handler."""
# expect: Count cannot be used: 2 problems
# expect: empty_state is missing; write def empty_state(self)
# expect: apply_event is missing; write def apply_event(self, state, event)

from dataclasses import dataclass

from actorkalix import Effect, EventSourcedEntity, command, query


@dataclass(frozen=True)
class Added:
    n: int


class Count(EventSourcedEntity[int, Added], id="count"):  # here
    @query
    def get(self) -> int:
        return self.state
