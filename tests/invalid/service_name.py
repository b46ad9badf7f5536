"""The name of a service."""
# expect: its name is 'my shop'; use 1 to 64 of letters, digits, '.', '_' and '-'

from actorkalix import Service, ValueEntity, http, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query
    @http.get("/slots/{entity_id}")
    def get(self) -> int:
        return self.state


Service("my shop", components=[Slot])  # here
