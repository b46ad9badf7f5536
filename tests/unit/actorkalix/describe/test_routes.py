"""Routes of a component: default ones and its own."""

from __future__ import annotations

import pytest

from actorkalix import ValueEntity, command, http, query
from actorkalix.describe import descriptor_of
from actorkalix.describe.routes import parameters_of, pattern_of, routes_of
from actorkalix.model.effects import Effect


class Shelf(ValueEntity[int], id="shelf"):
    def empty_state(self) -> int:
        return 0

    @command
    @http.put("/shelves/{entity_id}/{row}")
    def put_row(self, row: int) -> Effect[None]:
        return self.effects.update_state(row).then_reply(None)

    @query
    @http.get("/shelves/{entity_id}")
    @http.get("/shelves/{entity_id}/row")
    def get_row(self) -> int:
        return self.state


def test_all_routes() -> None:
    found = [
        (handler.name, route.verb, route.path, default)
        for handler, route, default in routes_of(descriptor_of(Shelf))
    ]
    assert found == [
        ("put_row", "POST", "/shelf/{entity_id}/put-row", True),
        ("get_row", "GET", "/shelf/{entity_id}/get-row", True),
        ("get_row", "POST", "/shelf/{entity_id}/get-row", True),
        ("put_row", "PUT", "/shelves/{entity_id}/{row}", False),
        ("get_row", "GET", "/shelves/{entity_id}/row", False),
        ("get_row", "GET", "/shelves/{entity_id}", False),
    ]


@pytest.mark.parametrize(
    "path, parameters, pattern",
    [
        ("/a/{entity_id}/b/{c}", ["entity_id", "c"], "/a/{}/b/{}"),
        ("/a", [], "/a"),
    ],
)
def test_paths(path: str, parameters: list[str], pattern: str) -> None:
    assert parameters_of(path) == parameters
    assert pattern_of(path) == pattern
