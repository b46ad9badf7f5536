"""ES-01: a blank id."""
# expect: the id is blank: write id="slot"

from actorkalix import Effect, ValueEntity, command, query


class Slot(ValueEntity[int], id="  "):  # here
    def empty_state(self) -> int:
        return 0

    @query
    def get(self) -> int:
        return self.state
