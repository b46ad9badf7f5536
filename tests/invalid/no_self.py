"""A handler is a method."""
# expect: get has no self; write it as a method

from actorkalix import Effect, ValueEntity, command, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query  # here
    def get() -> int:
        return 0
