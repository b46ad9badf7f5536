"""Keys that JSON has not."""
# expect: get cannot reply: keys of dict[tuple[int, int], str] cannot be encoded; use strings or numbers as keys

from actorkalix import Effect, ValueEntity, command, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query  # here
    def get(self) -> dict[tuple[int, int], str]:
        return {}
