"""ES-12: at least one handler."""
# expect: has no handler; mark one with @command or @query

from actorkalix import ValueEntity


class Slot(ValueEntity[int], id="slot"):  # here
    def empty_state(self) -> int:
        return 0

    def get(self) -> int:
        return self.state
