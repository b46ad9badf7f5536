"""All problems of a class at once, in the order of their lines."""
# expect: Slot cannot be used: 4 problems
# expect: unknown class option colour=; known are id, hosting, abstract
# expect: put is a coroutine
# expect: put has no type for its parameter value
# expect: get has no return type

from actorkalix import Effect, ValueEntity, command, query


class Slot(ValueEntity[int], id="slot", colour="red"):  # here
    def empty_state(self) -> int:
        return 0

    @command  # here
    async def put(self, value) -> Effect[None]:
        return self.effects.update_state(value).then_reply(None)

    @query  # here
    def get(self):
        return self.state
