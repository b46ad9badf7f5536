"""Problems of an abstract base are said where it is used, at their own line."""
# expect: Slot cannot be used: 1 problem
# expect: put has no type for its parameter value; write value: int, or whatever it is

from actorkalix import Effect, ValueEntity, command, query


class Base(ValueEntity[int], abstract=True):
    @command  # here
    def put(self, value) -> Effect[None]:
        return self.effects.update_state(value).then_reply(None)


class Slot(Base, id="slot"):
    def empty_state(self) -> int:
        return 0
