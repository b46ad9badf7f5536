"""A structured parameter fits no path."""
# expect: at is a list[int] and fits no path; only scalars do

from actorkalix import ValueEntity, http, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query
    @http.get("/slots/{entity_id}/{at}")  # here
    def get(self, at: list[int]) -> int:
        return self.state
