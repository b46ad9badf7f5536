"""A parameter twice in one path."""
# expect: names {entity_id} twice; give each parameter a name of its own

from actorkalix import ValueEntity, http, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query
    @http.get("/slots/{entity_id}/{entity_id}")  # here
    def get(self) -> int:
        return self.state
