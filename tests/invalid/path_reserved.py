"""The service itself answers there."""
# expect: the service itself answers there; take another path
# expect: does not say which entity

from actorkalix import ValueEntity, http, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query
    @http.get("/openapi.json")  # here
    def get(self) -> int:
        return self.state
