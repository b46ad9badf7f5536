"""A reply that cannot travel."""
# expect: get cannot reply: objects of type Connection cannot be encoded

from actorkalix import Effect, ValueEntity, command, query


class Connection:
    pass


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query  # here
    def get(self) -> Connection:
        return Connection()
