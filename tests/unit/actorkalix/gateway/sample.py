"""A service of hand-made descriptors, an `Ask` for it, and an ASGI caller without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.types import ASGIApp

from actorkalix import errors
from actorkalix.describe.descriptors import (
    ComponentDescriptor,
    HandlerDescriptor,
    HandlerKind,
    Parameter,
    Place,
    RouteDescriptor,
    ServiceDescriptor,
    Verb,
)
from actorkalix.gateway.http import http_app
from actorkalix.limits import Limits
from actorkalix_cluster.shardhost.messages import Message, Reply
from actorkalix_storage.api import Position

PLACE = Place("cart.py", 1)


@dataclass(frozen=True)
class Item:
    product: str
    quantity: int = 1


def handler(
    name: str, kind: HandlerKind, *parameters: Parameter, routes: dict[str, Verb] | None = None
) -> HandlerDescriptor:
    return HandlerDescriptor(
        name=name,
        kind=kind,
        fn=lambda: None,
        parameters=parameters,
        whole_body=len(parameters) == 1 and parameters[0].structured,
        reply=dict,
        returns_effect=kind == "command",
        routes=tuple(RouteDescriptor(verb, path, PLACE) for path, verb in (routes or {}).items()),
        place=PLACE,
    )


def component(
    name: str, kind: Any = "event_sourced", *handlers: HandlerDescriptor
) -> ComponentDescriptor:
    return ComponentDescriptor(name, kind, object, {one.name: one for one in handlers}, PLACE)


ITEM = Parameter("item", Item, structured=True)
SHOP = ServiceDescriptor(
    "shop",
    {
        "shopping-cart": component(
            "shopping-cart",
            "event_sourced",
            handler("add_item", "command", ITEM),
            handler("checkout", "command", routes={"/carts/{entity_id}/checkout": "POST"}),
            handler("get_cart", "query", routes={"/carts/{entity_id}": "GET"}),
            handler(
                "set_quantity",
                "command",
                Parameter("product", str),
                Parameter("quantity", int),
                routes={"/carts/{entity_id}/items/{product}/{quantity}": "PUT"},
            ),
            handler(
                "replace_item",
                "command",
                Parameter("product", str),
                ITEM,
                routes={"/carts/{entity_id}/items/{product}": "PATCH"},
            ),
            handler(
                "find",
                "query",
                Parameter("product", str),
                Parameter("least", int, required=False, default=0),
                routes={"/carts/{entity_id}/items/{product}": "GET"},
            ),
        ),
        "rows": component(
            "rows",
            "view",
            handler("by_id", "sql", Parameter("cart_id", str)),
            handler("everything", "sql", routes={"/carts/all": "GET"}),
        ),
        "checkout": component("checkout", "action", handler("remind", "handler")),
    },
)


class Answers:
    """Answers every message by `reply`, and remembers it; `release` lets them go when `held`."""

    def __init__(self, reply: Reply | None = None, *, held: bool = False) -> None:
        self.reply = reply or Reply(b'{"ok":true}', shard=7, position=Position(2**63, 3, 77))
        self.raises: BaseException | None = None
        self.asked: list[Message] = []
        self.arrived = asyncio.Event()
        self.release = asyncio.Event()
        if not held:
            self.release.set()

    async def ask(self, message: Message, /) -> Reply:
        self.asked.append(message)
        self.arrived.set()
        await self.release.wait()
        if self.raises is not None:
            raise self.raises
        return self.reply


class Response(msgspec.Struct):
    """What came back; names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


Receive = Callable[[], Awaitable[dict[str, Any]]]


def shop(
    answers: Answers, *, limits: Limits | None = None, ready: Callable[[], bool] = lambda: True
) -> ASGIApp:
    return http_app(SHOP, answers, limits=limits or Limits(), ready=ready)


async def fetch(
    app: ASGIApp,
    verb: str,
    target: str | bytes,
    body: bytes = b"",
    headers: dict[str, str | bytes] | None = None,
    *,
    receive: Receive | None = None,
) -> Response:
    """Sends one request; a body is said to be JSON unless headers say something else."""
    raw = target.encode() if isinstance(target, str) else target
    path, _, query = raw.partition(b"?")
    given: dict[str, str | bytes] = {"host": "localhost"}
    if body:
        given |= {"content-type": "application/json", "content-length": str(len(body))}
    given |= headers or {}
    scope = {
        "type": "http",
        "method": verb,
        "path": path.decode("latin-1"),
        "raw_path": path,
        "query_string": query,
        "headers": [
            (name.lower().encode(), value if isinstance(value, bytes) else value.encode())
            for name, value in given.items()
        ],
    }
    sent: list[dict[str, Any]] = []

    async def whole() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event: Any) -> None:
        sent.append(event)

    await app(scope, receive or whole, send)
    if not sent:
        return Response(0, {}, b"")
    start, end = sent
    return Response(
        start["status"],
        {name.decode(): value.decode() for name, value in start["headers"]},
        end["body"],
    )


ADD = "/shopping-cart/c1/add-item"
PEN = b'{"product":"pen"}'


def one(
    verb: str,
    target: str | bytes,
    body: bytes = b"",
    headers: dict[str, str | bytes] | None = None,
    *,
    reply: Reply | None = None,
    limits: Limits | None = None,
) -> tuple[Response, Answers]:
    """Sends one request to a fresh shop."""

    async def run() -> tuple[Response, Answers]:
        answers = Answers(reply)
        return await fetch(shop(answers, limits=limits), verb, target, body, headers), answers

    return asyncio.run(run())


def is_problem(response: Response, status: int, number: str) -> dict[str, Any]:
    """Checks all that problem documents have in common; gives this one."""
    problem: dict[str, Any] = response.json
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status, problem["status"], problem["number"]) == (status, status, number)
    assert problem["type"] == f"urn:actorkalix:error:{number}"
    assert problem["title"]
    assert problem["detail"]
    assert problem["code"] in errors.HTTP_STATUS
    assert problem["outcome"] in ("not_executed", "unknown")
    assert problem["correlation_id"] == response.headers["x-request-id"]
    assert problem["instance"].startswith("/")
    assert "Traceback" not in str(problem)
    return problem
