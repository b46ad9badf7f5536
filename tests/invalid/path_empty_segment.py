"""Paths have no empty segments."""
# expect: an empty segment; write the path without "//" and without "/" at its end

from actorkalix import ValueEntity, http, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query
    @http.get("/slots//{entity_id}")  # here
    def get(self) -> int:
        return self.state
