"""A handler without a return type."""
# expect: put has no return type; write -> Effect[...]
# expect: get has no return type; write -> and the type of its reply

from actorkalix import Effect, ValueEntity, command, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @command  # here
    def put(self, value: int):
        return self.effects.update_state(value).then_reply(None)

    @query  # here
    def get(self):
        return self.state
