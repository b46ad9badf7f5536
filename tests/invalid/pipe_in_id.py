"""ES-01: an id with a pipe."""
# expect: the id 'slot|a' has '|' in it; use letters, digits and dashes

from actorkalix import Effect, ValueEntity, command, query


class Slot(ValueEntity[int], id="slot|a"):  # here
    def empty_state(self) -> int:
        return 0

    @query
    def get(self) -> int:
        return self.state
