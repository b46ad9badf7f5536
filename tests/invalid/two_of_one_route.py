"""Two handlers with one route."""
# expect: Slot.peek: GET /slots/{entity_id} is taken; Slot.get at
# expect: has the same route; give one another path

from actorkalix import ValueEntity, http, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query
    @http.get("/slots/{entity_id}")
    def get(self) -> int:
        return self.state

    @query
    @http.get("/slots/{entity_id}")  # here
    def peek(self) -> int:
        return self.state
