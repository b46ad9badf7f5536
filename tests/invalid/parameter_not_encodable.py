"""A parameter that cannot travel."""
# expect: put cannot take its parameters: connection: objects of type Connection cannot be encoded; use a dataclass, msgspec.Struct

from actorkalix import Effect, ValueEntity, command, query


class Connection:
    pass


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @command  # here
    def put(self, connection: Connection) -> Effect[None]:
        return self.effects.reply(None)
