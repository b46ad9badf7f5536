"""ES-27: a command that is a coroutine."""
# expect: put is a coroutine; write it as a plain def: entities do not wait: hand a call on with forward or side_effect, or do it in an action

from actorkalix import Effect, ValueEntity, command, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @command  # here
    async def put(self, value: int) -> Effect[None]:
        return self.effects.update_state(value).then_reply(None)
