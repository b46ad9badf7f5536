"""The id of the entity is no parameter."""
# expect: get takes entity_id; it is self.entity_id, take the parameter out

from actorkalix import Effect, ValueEntity, command, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query  # here
    def get(self, entity_id: str) -> int:
        return self.state
