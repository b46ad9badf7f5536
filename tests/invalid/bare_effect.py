"""An effect without the type of its reply."""
# expect: put returns a bare Effect; write Effect[...] with the type of its reply, Effect[None] for none

from actorkalix import Effect, ValueEntity, command, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @command  # here
    def put(self, value: int) -> Effect:
        return self.effects.update_state(value).then_reply(None)
