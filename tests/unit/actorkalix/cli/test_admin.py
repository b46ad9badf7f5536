"""Asking a running service through its admin port."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from actorkalix.cli.admin import AdminInspection
from actorkalix.errors import AdminUnreachable, InvalidPayload, UnknownRoute
from tests.unit.actorkalix.cli.answering import answering

R = TypeVar("R")


def ask(url: str, question: Callable[[AdminInspection], Awaitable[R]]) -> R:
    async def asked() -> R:
        async with AdminInspection(url) as running:
            return await question(running)

    return asyncio.run(asked())


def test_it_answers_like_the_store(admin: str) -> None:
    page = ask(admin, lambda running: running.entities("cart", limit=2))
    rest = ask(admin, lambda running: running.entities("cart", page=page.next_page))
    assert {*page.ids, *rest.ids} == {"c1", "c2", "ü/?"}
    assert ask(admin, lambda running: running.state("cart", "ü/?")).state["items"] == ["pen"]
    found = ask(admin, lambda r: r.events("cart", "c1", after=3, limit=2, with_state=True))
    assert [view.sequence_number for view in found] == [4, 5]
    assert found[1].state["items"] == ["pen", "ink", "cap"]
    assert ask(admin + "/", lambda running: running.status()).service == "shop"


def test_its_errors_keep_their_numbers(admin: str) -> None:
    with pytest.raises(UnknownRoute, match="did you mean 'cart'"):
        ask(admin, lambda running: running.entities("carts"))
    with pytest.raises(InvalidPayload, match="page"):
        ask(admin, lambda running: running.entities("cart", page="nonsense"))


def test_a_replacement_is_asked_for(admin: str) -> None:
    replaced = ask(admin, lambda running: running.replace(0))
    assert (replaced.store, replaced.host and replaced.host.state) == (0, "serving")
    with pytest.raises(UnknownRoute, match="there is no store 5; there is 0"):
        ask(admin, lambda running: running.replace(5))


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1", "nonsense", "ftp://x", "http://[", "", "http://127.0.0.1:99999", "a\nb"],
)
def test_nobody_there_is_one_error(url: str) -> None:
    with pytest.raises(AdminUnreachable):
        ask(url, lambda running: running.status())


@pytest.mark.parametrize(
    "answer",
    [
        PlainTextResponse("hello"),
        JSONResponse([1]),
        PlainTextResponse("no", 404),
        JSONResponse({"number": "AK7777", "detail": "?"}, 500),
        Response(b"\xff", 200),
    ],
    ids=["text", "list", "404", "unknown number", "bytes"],
)
def test_something_else_there_is_the_same(answer: Response) -> None:
    async def answers(_: Request) -> Response:
        return answer

    app = Starlette(routes=[Route("/{rest:path}", answers)])
    with answering(app) as url, pytest.raises(AdminUnreachable, match="no admin port"):
        ask(url, lambda running: running.status())
