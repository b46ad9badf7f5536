"""A component once."""
# expect: Slot is listed twice; list it once

from actorkalix import Service, ValueEntity, http, query


class Slot(ValueEntity[int], id="slot"):  # here
    def empty_state(self) -> int:
        return 0

    @query
    @http.get("/slots/{entity_id}")
    def get(self) -> int:
        return self.state


Service("shop", components=[Slot, Slot])
