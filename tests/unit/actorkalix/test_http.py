"""Routes mark methods with verb, path and place."""

from __future__ import annotations

from actorkalix import Action, http
from actorkalix.model.handlers import handlers_of


class Door(Action, id="door"):
    @http.get("/a")
    @http.post("/b")
    @http.put("/c")
    @http.patch("/d")
    @http.delete("/e")
    async def all(self) -> None: ...


def test_every_verb_adds_a_route() -> None:
    door = handlers_of(Door)["all"]
    assert door.kind == "route"
    routes = {route.verb: (route.path, route.line) for route in door.routes}
    first = routes["GET"][1]
    assert routes == {
        "GET": ("/a", first),
        "POST": ("/b", first + 1),
        "PUT": ("/c", first + 2),
        "PATCH": ("/d", first + 3),
        "DELETE": ("/e", first + 4),
    }
    assert {route.file for route in door.routes} == {__file__}
