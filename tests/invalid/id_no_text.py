"""ES-01: an id that is no text."""
# expect: the id is a text: write id="slot", got 7

from actorkalix import Effect, ValueEntity, command, query


class Slot(ValueEntity[int], id=7):  # here
    def empty_state(self) -> int:
        return 0

    @query
    def get(self) -> int:
        return self.state
