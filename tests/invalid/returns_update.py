"""An update is no effect."""
# expect: put returns an Update; end it with .then_reply(...) and write -> Effect[...]

from actorkalix import ValueEntity, command
from actorkalix.model.effects import Update


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @command  # here
    def put(self, value: int) -> Update[int]:
        return self.effects.update_state(value)
