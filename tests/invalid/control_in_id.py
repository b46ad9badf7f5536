"""ES-01: an id with a control character."""
# expect: has control characters

from actorkalix import Effect, ValueEntity, command, query


class Slot(ValueEntity[int], id="slot\n"):  # here
    def empty_state(self) -> int:
        return 0

    @query
    def get(self) -> int:
        return self.state
