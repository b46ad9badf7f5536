"""The runtime makes objects of the class."""
# expect: __init__ needs connection; the runtime makes objects of the class without arguments

from actorkalix import Effect, ValueEntity, command, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    def __init__(self, connection: str) -> None:  # here
        self.connection = connection

    @query
    def get(self) -> int:
        return self.state
