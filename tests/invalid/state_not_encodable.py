"""A state that cannot be stored."""
# expect: the state cannot be stored: objects of type Connection cannot be encoded

from actorkalix import Effect, ValueEntity, command, query


class Connection:
    pass


class Slot(ValueEntity[Connection], id="slot"):  # here
    def empty_state(self) -> Connection:
        return Connection()

    @query
    def get(self) -> int:
        return 0
