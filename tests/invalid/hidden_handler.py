"""A mark that was forgotten in a subclass."""
# expect: put hides the handler of its base class and has no mark; write @command above it

from actorkalix import Effect, ValueEntity, command, query


class Base(ValueEntity[int], abstract=True):
    @command
    def put(self, value: int) -> Effect[None]:
        return self.effects.update_state(value).then_reply(None)


class Slot(Base, id="slot"):
    def empty_state(self) -> int:
        return 0

    def put(self, value: int) -> Effect[None]:  # here
        return self.effects.update_state(value + 1).then_reply(None)
