"""A handler is a command or a query."""
# expect: put is marked @command and @query; keep one

from actorkalix import Effect, ValueEntity, command, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query  # here
    @command
    def put(self, value: int) -> Effect[None]:
        return self.effects.update_state(value).then_reply(None)
