"""A service of hand-made descriptors, an `Ask` for it, and an ASGI caller without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
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
from actorkalix.gateway.headers import Head, Headers
from actorkalix.gateway.http import Endpoint, http_app
from actorkalix.gateway.prompt import Prompt
from actorkalix.limits import Limits
from actorkalix_cluster.shardhost.asked import Asked
from actorkalix_cluster.shardhost.messages import Message, Reply
from actorkalix_cluster.shardhost.ticket import Tell
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


class ByTask:
    """What `Asking` has beyond `ask`, by a task for each message."""

    def __init__(self) -> None:
        self.dropped: list[Asked] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def ask(self, message: Message, /) -> Reply:
        raise NotImplementedError

    def begin(self, message: Message, tell: Tell, /) -> Reply | Asked:
        asked = Asked(tell)
        self._tasks.append(asyncio.create_task(self._run(message, asked)))
        return asked

    async def _run(self, message: Message, asked: Asked) -> None:
        asked.tell(await self.ask(message))

    def drop(self, asked: Asked, /) -> None:
        asked.forget()
        self.dropped.append(asked)


class Answers(ByTask):
    """Answers every message by `reply`, and remembers it; `release` lets them go when `held`."""

    def __init__(self, reply: Reply | None = None, *, held: bool = False) -> None:
        super().__init__()
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

    def begin(self, message: Message, tell: Tell, /) -> Reply | Asked:
        if not self.release.is_set():
            return super().begin(message, tell)
        self.asked.append(message)
        self.arrived.set()
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
) -> Endpoint:
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
    scope = {
        "type": "http",
        "method": verb,
        "path": path.decode("latin-1"),
        "raw_path": path,
        "query_string": query,
        "headers": list(_lines_of(body, headers)),
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


class Written:
    """A connection that keeps the answer."""

    def __init__(self) -> None:
        self.response: Response | None = None

    def answer(self, prompt: Prompt, status: int, headers: Headers, body: bytes, /) -> None:
        assert self.response is None, "it is answered once"
        prompt.response_complete = True
        shown = {name.decode(): value.decode() for name, value in headers}
        self.response = Response(status, shown, body)


def begun(
    endpoint: Endpoint,
    verb: str,
    target: str | bytes,
    body: bytes = b"",
    headers: dict[str, str | bytes] | None = None,
) -> Written:
    """Sends one request that came whole; as `fetch`, but that its answer may come later."""
    raw = target.encode() if isinstance(target, str) else target
    written = Written()
    prompt = Prompt(written, keep_alive=True)
    endpoint.begin(prompt, verb, raw, Head(_lines_of(body, headers)), body)
    return written


def _lines_of(body: bytes, headers: dict[str, str | bytes] | None) -> Iterator[tuple[bytes, bytes]]:
    given: dict[str, str | bytes] = {"host": "localhost"}
    if body:
        given |= {"content-type": "application/json", "content-length": str(len(body))}
    for name, value in (given | (headers or {})).items():
        yield name.lower().encode(), value if isinstance(value, bytes) else value.encode()


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
    """Sends one request to a fresh shop, by events and at once: both say the same."""

    async def run() -> tuple[Response, Answers]:
        answers = Answers(reply)
        response = await fetch(shop(answers, limits=limits), verb, target, body, headers)
        if verb not in ("HEAD", "OPTIONS"):
            others = Answers(reply)
            written = begun(shop(others, limits=limits), verb, target, body, headers)
            assert written.response is not None
            assert _nameless(written.response) == _nameless(response)
            assert [_plain(m) for m in others.asked] == [_plain(m) for m in answers.asked]
        return response, answers

    return asyncio.run(run())


def _plain(message: Message) -> Message:
    """Without what differs from request to request."""
    return msgspec.structs.replace(message, deadline_ms=0, correlation_id="")


def _nameless(response: Response) -> Response:
    """Without the id that the gateway gave it."""
    name = response.headers["x-request-id"]
    body = response.body.replace(name.encode(), b"") if name else response.body
    return Response(response.status, response.headers | {"x-request-id": ""}, body)


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
