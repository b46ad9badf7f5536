"""What is no component."""
# expect: Plain is no component: subclass one of the kinds, like EventSourcedEntity

from actorkalix import Service, ValueEntity, http, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query
    @http.get("/slots/{entity_id}")
    def get(self) -> int:
        return self.state


class Plain:
    pass


Service("shop", components=[Slot, Plain])  # here
