"""Handlers are public."""
# expect: _get begins with an underscore; handlers are public, name it without

from actorkalix import Effect, ValueEntity, command, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query  # here
    def _get(self) -> int:
        return self.state
