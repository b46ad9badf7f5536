"""An abstract class has no id."""
# expect: is abstract and has an id; leave one of the two out

from actorkalix import Effect, ValueEntity, command, query


class Slot(ValueEntity[int], id="slot", abstract=True):  # here
    def empty_state(self) -> int:
        return 0

    @query
    def get(self) -> int:
        return self.state
