"""Views and SQL at the admin port."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from starlette.types import ASGIApp

from actorkalix.gateway.admin import admin_app
from actorkalix.view_listing import SqlOrder
from tests.unit.actorkalix.gateway.sample import SHOP, Response, fetch, is_problem
from tests.unit.actorkalix.gateway.test_admin import Looked
from tests.unit.actorkalix.gateway.viewed import CARTS, EXPLAINED, FOUND, OLD, PARKED, Viewed
from tests.unit.actorkalix.runtime.cluster import Processes


async def scrape(_: str) -> tuple[bytes, str]:
    return b"", "text/plain"


def app_of(viewed: Viewed | None) -> ASGIApp:
    return admin_app(SHOP, Looked(), fleet=Processes(), metrics=scrape, views=viewed)


def ask(viewed: Viewed | None, target: str, body: bytes | None = None) -> Response:
    verb = "GET" if body is None else "POST"
    return asyncio.run(fetch(app_of(viewed), verb, target, body or b""))


@pytest.mark.parametrize(
    "target, body, answer",
    [
        ("/admin/views", None, [CARTS, OLD]),
        ("/admin/views/parked?view=carts&limit=3", None, [PARKED]),
        ("/admin/views/explain?view=carts", None, EXPLAINED),
        ("/admin/views/drop", b'{"view":"old"}', {"view": "old", "dropped": True}),
        ("/admin/views/rebuild", b'{"view":"carts"}', {"view": "carts"}),
        ("/admin/sql", b'{"sql":"SELECT 1"}', FOUND),
        (
            "/admin/sql",
            None,
            [{"name": "carts", "of": "view carts", "columns": ["subject", "name"]}],
        ),
    ],
)
def test_they_are_shown_and_acted_on(target: str, body: bytes | None, answer: object) -> None:
    response = ask(Viewed(), target, body)
    assert response.status == 200
    assert msgspec.json.decode(response.body) == msgspec.json.decode(msgspec.json.encode(answer))


def test_what_was_asked_reaches_them() -> None:
    viewed = Viewed()
    ask(viewed, "/admin/views/parked?view=carts&limit=3")
    ask(viewed, "/admin/sql", b'{"sql":"SELECT 1","limit":7}')
    assert viewed.asked == [("carts", 3), SqlOrder("SELECT 1", 7)]


@pytest.mark.parametrize(
    "target, body",
    [
        ("/admin/views/parked", None),
        ("/admin/views/explain", None),
        ("/admin/views/parked?view=carts&limit=0", None),
        ("/admin/views/drop", b"{}"),
        ("/admin/views/drop", b'{"view":5}'),
        ("/admin/sql", b'{"sql":"SELECT 1","limit":0}'),
        ("/admin/sql", b'{"sql":"SELECT 1","limit":100001}'),
        ("/admin/sql", b'{"sql":"SELECT 1","more":1}'),
        ("/admin/sql", b"SELECT 1"),
    ],
)
def test_garbage_is_a_problem(target: str, body: bytes | None) -> None:
    viewed = Viewed()
    assert is_problem(ask(viewed, target, body), 400, "AK2002")
    assert viewed.asked == []


def test_sql_that_is_none_is_a_problem() -> None:
    assert is_problem(ask(Viewed(), "/admin/sql", b'{"sql":"nonsense"}'), 400, "AK2035")


@pytest.mark.parametrize("target", ["/admin/views", "/admin/sql", "/admin/views/parked?view=a"])
def test_without_views_there_is_no_such_path(target: str) -> None:
    assert is_problem(ask(None, target), 404, "AK2003")
