"""ES-01: ids are unique in a service."""
# expect: service 'shop' cannot be used: 1 problem
# expect: Pocket has the id 'slot' of Slot (
# expect: give one another id

from actorkalix import Service, ValueEntity, http, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query
    @http.get("/slots/{entity_id}")
    def get(self) -> int:
        return self.state


class Pocket(ValueEntity[int], id="slot"):  # here
    def empty_state(self) -> int:
        return 0

    @query
    @http.get("/pockets/{entity_id}")
    def get(self) -> int:
        return self.state


Service("shop", components=[Slot, Pocket])
