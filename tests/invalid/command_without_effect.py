"""ES-12: a command that returns no effect."""
# expect: put is a command and returns int; write -> Effect[int], or make it a @query

from actorkalix import Effect, ValueEntity, command, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @command  # here
    def put(self, value: int) -> int:
        return value
