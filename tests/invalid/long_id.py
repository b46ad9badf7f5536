"""ES-01: an id of more than 64 bytes."""
# expect: the id has 66 bytes, at most 64 are allowed

from actorkalix import Effect, ValueEntity, command, query


class Slot(ValueEntity[int], id="ééééééééééééééééééééééééééééééééé"):  # here
    def empty_state(self) -> int:
        return 0

    @query
    def get(self) -> int:
        return self.state
