"""In an entity a route alone makes no handler."""
# expect: get has only a route; handlers of value entities have @command or @query

from actorkalix import ValueEntity, http


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @http.get("/slots/{entity_id}")  # here
    def get(self) -> int:
        return self.state
