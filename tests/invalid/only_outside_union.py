"""only= outside of the events of its source."""
# expect: on_number takes only=int, which Count never persists; its events are Added

from dataclasses import dataclass

from actorkalix import Action, EventSourcedEntity, query, subscribe


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


class Mail(Action, id="mail"):
    @subscribe(Count, only=int)  # here
    async def on_number(self, event: int) -> None: ...
