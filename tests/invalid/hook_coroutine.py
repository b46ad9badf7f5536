"""ES-15: an event handler that is a coroutine."""
# expect: apply_event is a coroutine or generator; write it as a plain def

from dataclasses import dataclass

from actorkalix import Effect, EventSourcedEntity, command, query


@dataclass(frozen=True)
class Added:
    n: int


class Count(EventSourcedEntity[int, Added], id="count"):
    def empty_state(self) -> int:
        return 0

    async def apply_event(self, state: int, event: Added) -> int:  # here
        return state

    @query
    def get(self) -> int:
        return self.state
