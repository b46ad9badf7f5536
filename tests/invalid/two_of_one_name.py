"""ES-12: two handlers of one name."""
# expect: put is written twice, first at
# expect: give one another name

from actorkalix import Effect, ValueEntity, command, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @command
    def put(self, value: int) -> Effect[None]:
        return self.effects.update_state(value).then_reply(None)

    @command  # here
    def put(self, value: str) -> Effect[None]:
        return self.effects.update_state(int(value)).then_reply(None)
