"""A class, not an object of it."""
# expect: components takes classes, got an object of Slot; write Slot without ()

from actorkalix import Service, ValueEntity, http, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query
    @http.get("/slots/{entity_id}")
    def get(self) -> int:
        return self.state


Service("shop", components=[Slot()])  # here
