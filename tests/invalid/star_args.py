"""Parameters have names."""
# expect: put takes *values; name its parameters, or take a list or dict
# expect: set takes **values; name its parameters, or take a list or dict

from actorkalix import Effect, ValueEntity, command, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @command  # here
    def put(self, *values: int) -> Effect[None]:
        return self.effects.update_state(sum(values)).then_reply(None)

    @command  # here
    def set(self, **values: int) -> Effect[None]:
        return self.effects.update_state(sum(values.values())).then_reply(None)
