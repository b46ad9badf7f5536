"""Consumers and dead letters at the admin port."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import ASGIApp

from actorkalix.consumer_views import Consuming
from actorkalix.gateway.admin import admin_app
from tests.unit.actorkalix.gateway.consumed import LETTER, Consumed
from tests.unit.actorkalix.gateway.sample import SHOP, Response, fetch, is_problem
from tests.unit.actorkalix.gateway.test_admin import Looked
from tests.unit.actorkalix.runtime.cluster import Processes


class Shown(Looked):
    """With consumers that remember."""

    def __init__(self, consumed: Consumed) -> None:
        super().__init__()
        self._consumed = consumed

    @property
    def consuming(self) -> Consuming:
        return self._consumed


async def scrape(_: str) -> tuple[bytes, str]:
    return b"", "text/plain"


def app_of(consumed: Consumed) -> ASGIApp:
    return admin_app(SHOP, Shown(consumed), fleet=Processes(), metrics=scrape)


def ask(consumed: Consumed, target: str, body: bytes | None = None, **headers: str) -> Response:
    verb = "GET" if body is None else "POST"
    return asyncio.run(fetch(app_of(consumed), verb, target, body or b"", headers=dict(headers)))


@pytest.mark.parametrize(
    "target, body, asked",
    [
        ("/admin/consumers", None, ("", 100)),
        ("/admin/consumers?consumer=bill%3Acart&limit=3", None, ("bill:cart", 3)),
        ("/admin/consumers/retry", b'{"consumer":"a"}', ("retry", "a", "")),
        ("/admin/consumers/retry", b'{"consumer":"a","entity":"e"}', ("retry", "a", "e")),
        ("/admin/dead-letters", None, ("", "", 100)),
        ("/admin/dead-letters?consumer=a&page=p2&limit=9", None, ("a", "p2", 9)),
        ("/admin/dead-letters/show?id=5%3Abill%3Acart%2F30", None, (LETTER.id,)),
        ("/admin/dead-letters/replay", b'{"id":"5:a/1"}', ("replay", "5:a/1")),
        ("/admin/dead-letters/drop", b'{"id":"5:a/1"}', ("drop", "5:a/1")),
    ],
)
def test_each_path_asks_for_what_it_says(
    target: str, body: bytes | None, asked: tuple[Any, ...]
) -> None:
    consumed = Consumed()
    answer = ask(consumed, target, body)
    assert answer.status == 200
    assert consumed.asked == [asked]
    assert answer.json


@pytest.mark.parametrize(
    "target, body, said",
    [
        ("/admin/consumers?limit=0", None, "limit is 1 to 1,000"),
        ("/admin/dead-letters?limit=x", None, "limit is a number"),
        ("/admin/dead-letters/show", None, "id is missing"),
        ("/admin/consumers/retry", b"{}", "a JSON object of consumer, entity: "),
        ("/admin/dead-letters/drop", b'{"letter":"x"}', "a JSON object of id: "),
    ],
)
def test_what_cannot_be_read_is_named(target: str, body: bytes | None, said: str) -> None:
    consumed = Consumed()
    assert said in is_problem(ask(consumed, target, body), 400, "AK2002")["detail"]
    assert consumed.asked == []


def test_foreign_pages_may_order_nothing() -> None:
    consumed = Consumed()
    order = b'{"id":"5:a/1"}'
    answer = ask(consumed, "/admin/dead-letters/drop", order, origin="https://evil.example")
    is_problem(answer, 403, "AK2002")
    assert consumed.asked == []
