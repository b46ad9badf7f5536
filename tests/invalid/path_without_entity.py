"""A route of an entity says which one."""
# expect: @http.get("/slots") does not say which entity: put {entity_id} into the path

from actorkalix import ValueEntity, http, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query
    @http.get("/slots")  # here
    def get(self) -> int:
        return self.state
