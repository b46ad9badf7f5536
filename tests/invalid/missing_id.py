"""ES-01: a component without an id."""
# expect: Slot cannot be used: 1 problem
# expect: needs an id: class Slot(..., id="slot"), or abstract=True for a base class

from actorkalix import Effect, ValueEntity, command, query


class Slot(ValueEntity[int]):  # here
    def empty_state(self) -> int:
        return 0

    @query
    def get(self) -> int:
        return self.state
