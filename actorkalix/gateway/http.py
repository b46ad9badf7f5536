"""The HTTP endpoint: from a request to a message, from a reply to a response.

Requests that came whole are begun and answered by plain calls (`begin`, see `prompt`), all others
by ASGI, without request and response objects: on this path every object counts (the empty Starlette
handler is the yardstick, `scripts/bench`). What fails is raised as one of our errors and becomes a
problem document in one place; anything else that is raised is a bug of ours, logged with its
correlation id and answered by that alone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple, Protocol
from urllib.parse import quote, unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from actorkalix import errors
from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.failures import failure_of
from actorkalix.gateway.arguments import payload_of
from actorkalix.gateway.deadlines import Deadlines
from actorkalix.gateway.headers import Head, Headers, checked_entity_id, reply_headers
from actorkalix.gateway.problems import (
    PROBLEM_JSON,
    problem_of,
    retry_after_s,
    status_of,
)
from actorkalix.gateway.prompt import Asking, Prompt, Underway
from actorkalix.gateway.routes import NoRoute, Route, RouteTable, WrongVerb
from actorkalix.limits import Limits
from actorkalix_cluster.shardhost.asked import Asked
from actorkalix_cluster.shardhost.messages import Failure, Message, Reply

log = logging.getLogger("actorkalix.gateway")

_JSON = (b"content-type", b"application/json")
_PROBLEM = (b"content-type", PROBLEM_JSON)
_CLOSE = (b"connection", b"close")
STOPPED = Failure(
    number=errors.OutcomeUnknown.number,
    code="unavailable",
    message="this host stopped before the answer came",
    outcome="unknown",
    http_status=503,
)
BUG = Failure(
    number=errors.InternalError.number,
    code="internal",
    message="a bug of actorkalix; the log has more under the correlation id",
    outcome="unknown",
)


class _Opened(NamedTuple):
    """What the head of a request says."""

    route: Route
    values: list[str]
    entity: str
    key: str
    metadata: tuple[tuple[str, str], ...]
    timeout_ms: int


class Answered(Protocol):
    """Is told of every response."""

    def answered(self, status: int, number: str) -> None:
        """Of its HTTP status, and "" or the AK number of its problem."""
        ...


class _Gone(Exception):
    """The caller closed the connection before its request was complete."""


def http_app(
    service: ServiceDescriptor,
    ask: Asking,
    *,
    limits: Limits,
    ready: Callable[[], bool],
    answered: Answered | None = None,
    pages: Mapping[str, ASGIApp] | None = None,
) -> Endpoint:
    """The ASGI app of a service's HTTP port.

    Args:
        service: whose components are served.
        ask: answers the messages that requests become.
        limits: `payload_bytes_max`, `ask_timeout` and `body_timeout` count here.
        ready: whether requests are taken; when not, they get 503 with `Retry-After`.
        answered: is told of every response.
        pages: further apps by exact path ("/openapi.json").

    Raises:
        AssertionError: two routes clash; descriptors of a service have none that do.
    """
    return Endpoint(RouteTable(service), ask, limits, ready, answered, pages or {})


class Endpoint:
    """See `http_app`."""

    def __init__(
        self,
        table: RouteTable,
        ask: Asking,
        limits: Limits,
        ready: Callable[[], bool],
        answered: Answered | None,
        pages: Mapping[str, ASGIApp],
    ) -> None:
        self._match = table.match
        self._ask = ask.ask
        self._begin = ask.begin
        self._body_bytes_max = limits.payload_bytes_max
        self._ask_timeout_ms = int(limits.ask_timeout.total_seconds() * 1000)
        self._body_timeout_s = limits.body_timeout.total_seconds()
        self._ready = ready
        self._answered = answered
        self._pages = pages
        self._deadlines = Deadlines()
        self.underway = Underway(self.respond, ask.drop)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await _decline(scope, receive, send)
            return
        page = self._pages.get(scope["path"])
        if page is not None:
            await page(scope, receive, send)
            return
        head = Head(scope["headers"])
        request_id = head.request_id()
        headers: Headers = [_JSON, (b"x-request-id", request_id.encode())]
        try:
            reply = await self._reply(scope, receive, head, request_id, headers)
            reply_headers(reply, headers)
        except _Gone:
            return
        except errors.ActorkalixError as error:
            reply = Reply(failure=failure_of(error))
        except asyncio.CancelledError:
            await self._send(send, scope, Reply(failure=STOPPED), request_id, headers)
            raise
        except Exception:
            log.exception("a request failed in the gateway, correlation id %s", request_id)
            reply = Reply(failure=BUG)
        await self._send(send, scope, reply, request_id, headers)

    # ---- requests that came whole ---------------------------------------------------------------
    def takes(self, target: bytes) -> bool:
        """Whether requests for this target may come to `begin`: pages take events."""
        if not self._pages:
            return True
        path = unquote_to_bytes(target.partition(b"?")[0])
        return path.decode(errors="replace") not in self._pages

    def begin(
        self, prompt: Prompt, verb: str, target: bytes, lines: Headers, body: bytes, /
    ) -> None:
        """Begin a request; its connection has the answer then or later.

        Args:
            prompt: the request.
            verb: "GET", say; neither HEAD nor OPTIONS.
            target: raw path, and query behind a question mark.
            lines: its headers, names in lower case.
            body: all of it.
        """
        prompt.path, _, query = target.partition(b"?")
        head = Head(lines)
        request_id = prompt.request_id = head.request_id()
        prompt.headers = [_JSON, (b"x-request-id", request_id.encode())]
        try:
            opened = self._open(verb, prompt.path, head, prompt.headers)
            if isinstance(opened, Reply):
                reply = opened
            else:
                if verb != "GET":
                    self._refuse_larger(len(body))
                message = self._message(opened, query, head, body, request_id)
                asked = self._begin(message, partial(self.underway.told, prompt))
                if isinstance(asked, Asked):
                    self.underway.add(prompt, asked)
                    return
                reply = asked
        except errors.ActorkalixError as error:
            reply = Reply(failure=failure_of(error))
        except Exception:
            log.exception("a request failed in the gateway, correlation id %s", request_id)
            reply = Reply(failure=BUG)
        self.respond(prompt, reply)

    def respond(self, prompt: Prompt, reply: Reply) -> None:
        """Answer a request that was begun."""
        if prompt.disconnected:
            return
        path, request_id, headers = prompt.path, prompt.request_id, prompt.headers
        try:
            status, body = self._response(reply, path, request_id, reply_headers(reply, headers))
        except Exception:
            log.exception("an answer failed in the gateway, correlation id %s", request_id)
            headers[:] = [_PROBLEM]
            status, body = self._response(Reply(failure=BUG), path, request_id, headers)
        prompt.connection.answer(prompt, status, headers, body)

    # ---- all others -----------------------------------------------------------------------------
    async def _reply(
        self, scope: Scope, receive: Receive, head: Head, request_id: str, headers: Headers
    ) -> Reply:
        """The answer; `headers` get what belongs to it. Raises one of our errors, or `_Gone`."""
        opened = self._open(scope["method"], raw_path_of(scope), head, headers)
        if isinstance(opened, Reply):
            return opened
        has_body = opened.route.verb != "GET"
        if has_body:
            self._refuse_larger(head.content_length())
        timeout_ms, asked = opened.timeout_ms, False
        try:
            with self._deadlines.within(self._body_timeout_s) as wait:
                body = await self._body(receive) if has_body else b""
                message = self._message(opened, scope["query_string"], head, body, request_id)
                wait.extend(timeout_ms / 1000)
                asked = True
                return await self._ask(message)
        except TimeoutError:
            if asked:
                raise errors.OutcomeUnknown(f"no answer within {timeout_ms:,} ms") from None
            headers.append(_CLOSE)  # what is still to come belongs to no request
            limit = f"{self._body_timeout_s:g} s"
            raise errors.SlowBody(f"the body did not arrive within body_timeout, {limit}") from None

    def _open(self, verb: str, path: bytes, head: Head, headers: Headers) -> _Opened | Reply:
        """What a head says, or the answer to it. Raises one of our errors."""
        if not self._ready():
            raise errors.Draining("this host is starting or stopping")
        head.refuse_twice()
        found = self._match(verb, path)
        if isinstance(found, WrongVerb):
            return _wrong_verb(verb, found, headers)
        if isinstance(found, NoRoute):
            raise errors.UnknownRoute(found.reason)
        route, values = found.route, found.values
        entity = checked_entity_id(values[route.entity_at]) if route.entity_at >= 0 else ""
        key, metadata = head.key(), head.decoded_metadata()
        timeout_ms = head.timeout_ms(self._ask_timeout_ms)
        return _Opened(route, values, entity, key, metadata, timeout_ms)

    def _message(
        self, opened: _Opened, query: bytes, head: Head, body: bytes, request_id: str
    ) -> Message:
        """The message that a request becomes. Raises one of our errors."""
        route, values, entity, key, metadata, timeout_ms = opened
        if route.verb == "GET":
            body = b""
        elif body:
            head.refuse_other_than_json()
        payload, encoding = payload_of(route, values, query, body)
        return Message(
            kind=route.kind,
            component=route.component,
            entity=entity,
            method=route.handler.name,
            payload=payload,
            encoding=encoding,
            key=key,
            metadata=metadata,
            correlation_id=request_id,
            deadline_ms=time.time_ns() // 1_000_000 + timeout_ms,
        )

    async def _body(self, receive: Receive) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                raise _Gone
            part: bytes = event.get("body", b"")
            size += len(part)
            self._refuse_larger(size)
            parts.append(part)
            if not event.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)

    def _refuse_larger(self, size: int) -> None:
        if size > self._body_bytes_max:
            raise errors.PayloadTooLarge(
                f"the body has {size:,} bytes or more, "
                f"the limit payload_bytes_max is {self._body_bytes_max:,}"
            )

    async def _send(
        self, send: Send, scope: Scope, reply: Reply, request_id: str, headers: Headers
    ) -> None:
        status, body = self._response(reply, raw_path_of(scope), request_id, headers)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _response(
        self, reply: Reply, path: bytes, request_id: str, headers: Headers
    ) -> tuple[int, bytes]:
        """Status and body; `headers` get what belongs to them."""
        failure, body = reply.failure, reply.payload
        if failure is not None:
            status = status_of(failure)
            body = problem_of(failure, path.decode("latin-1"), request_id)
            headers[0] = _PROBLEM
            retry_s = retry_after_s(failure)
            if retry_s:
                headers.append((b"retry-after", b"%d" % retry_s))
        elif body:
            status = 200
        else:
            status = 204
            del headers[0]
        if status != 204:
            headers.append((b"content-length", b"%d" % len(body)))
        if self._answered is not None:
            self._answered.answered(status, failure.number if failure is not None else "")
        return status, body


def raw_path_of(scope: Scope) -> bytes:
    """Path of a request as it came, percent-encoded."""
    raw: bytes | None = scope.get("raw_path")
    return raw if raw is not None else quote(scope["path"]).encode()


def _wrong_verb(verb: str, found: WrongVerb, headers: Headers) -> Reply:
    allow = ", ".join(found.allow)
    headers.append((b"allow", allow.encode()))
    if verb == "OPTIONS":
        return Reply()
    raise errors.MethodNotAllowed(f"this path takes {allow}, not {verb}")


async def _decline(scope: Scope, receive: Receive, send: Send) -> None:
    """Websockets are not served here; servers that speak the lifespan protocol are let through."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
        return
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})
