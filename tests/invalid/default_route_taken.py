"""Default routes count."""
# expect: Slot.peek: GET /slot/{entity_id}/get is taken; Slot.get at

from actorkalix import ValueEntity, http, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query
    def get(self) -> int:
        return self.state

    @query
    @http.get("/slot/{entity_id}/get")  # here
    def peek(self) -> int:
        return self.state
