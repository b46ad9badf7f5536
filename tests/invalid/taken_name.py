"""Names that the base uses."""
# expect: state hides self.state; give it another name

from actorkalix import Effect, ValueEntity, command, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query  # here
    def state(self) -> int:
        return 1
