"""An annotation that names nothing."""
# expect: put has a type for its parameter value that cannot be resolved (name 'Nubmer' is not defined); import it (not under TYPE_CHECKING) or define it above

from actorkalix import Effect, ValueEntity, command, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @command  # here
    def put(self, value: "Nubmer") -> Effect[None]:
        return self.effects.update_state(value).then_reply(None)
