"""A parameter without a type."""
# expect: put has no type for its parameter value; write value: int, or whatever it is

from actorkalix import Effect, ValueEntity, command, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @command  # here
    def put(self, value) -> Effect[None]:
        return self.effects.update_state(value).then_reply(None)
