"""A parameter in the path that the method has not."""
# expect: @http.get("/slots/{entity_id}/{nope}"): get has no parameter 'nope'; add it to the method or take it out of the path

from actorkalix import ValueEntity, http, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query
    @http.get("/slots/{entity_id}/{nope}")  # here
    def get(self) -> int:
        return self.state
