"""A GET has no body."""
# expect: window is a Window, and a GET has no body; use @http.post, or take scalars

from dataclasses import dataclass

from actorkalix import ValueEntity, http, query


@dataclass
class Window:
    first: int
    last: int


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query
    @http.get("/slots/{entity_id}")  # here
    def get(self, window: Window) -> int:
        return self.state
