"""A parameter is a whole segment."""
# expect: segment 'no-{entity_id}' is neither text nor one {parameter}
# expect: @http.get("/slots/no-{entity_id}")

from actorkalix import ValueEntity, http, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query
    @http.get("/slots/no-{entity_id}")  # here
    def get(self) -> int:
        return self.state
