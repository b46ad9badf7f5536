"""A mark that belongs to actions."""
# expect: put has @handler; handlers of value entities have @command or @query

from actorkalix import ValueEntity, handler


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @handler  # here
    def put(self, value: int) -> int:
        return value
