"""Two handlers with one route in two components."""
# expect: Pocket.get: GET /slots/{entity_id} is taken; Slot.get at

from actorkalix import Service, ValueEntity, http, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query
    @http.get("/slots/{entity_id}")
    def get(self) -> int:
        return self.state


class Pocket(ValueEntity[int], id="pocket"):
    def empty_state(self) -> int:
        return 0

    @query
    @http.get("/slots/{entity_id}")  # here
    def get(self) -> int:
        return self.state


Service("shop", components=[Slot, Pocket])
