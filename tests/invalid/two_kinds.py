"""A component has one kind."""
# expect: is EventSourcedEntity and ValueEntity at once; make it two components

from dataclasses import dataclass

from actorkalix import EventSourcedEntity, ValueEntity, query


@dataclass(frozen=True)
class Added:
    n: int


class Both(EventSourcedEntity[int, Added], ValueEntity[int], id="both"):  # here
    def empty_state(self) -> int:
        return 0

    @query
    def get(self) -> int:
        return self.state
