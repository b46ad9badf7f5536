"""A path begins with a slash."""
# expect: a path begins with "/": write "/slots/{entity_id}"

from actorkalix import ValueEntity, http, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query
    @http.get("slots/{entity_id}")  # here
    def get(self) -> int:
        return self.state
