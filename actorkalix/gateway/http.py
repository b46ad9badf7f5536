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
from contextlib import suppress
from functools import partial
from typing import NamedTuple, Protocol
from urllib.parse import unquote_to_bytes

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from actorkalix import errors
from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.failures import failure_of
from actorkalix.gateway.arguments import payload_of
from actorkalix.gateway.bodies import (
    CallerGone,
    Lines,
    gone,
    refuse_larger,
    unless_gone,
    whole_body,
)
from actorkalix.gateway.deadlines import Deadlines
from actorkalix.gateway.headers import Head, Headers, checked_entity_id, reply_headers
from actorkalix.gateway.problems import (
    PROBLEM_JSON,
    problem_of,
    retry_after_s,
    status_of,
)
from actorkalix.gateway.prompt import Asking, Prompt, Underway
from actorkalix.gateway.queueing import APPLIED, queued
from actorkalix.gateway.repeated import Repeated
from actorkalix.gateway.routes import Found, NoRoute, Route, RouteTable, WrongVerb
from actorkalix.gateway.scope import decline, raw_path_of
from actorkalix.gateway.streaming import Events, overrun_in
from actorkalix.limits import Limits
from actorkalix.ports import AskStreams
from actorkalix_cluster.shardhost.asked import Asked
from actorkalix_cluster.shardhost.messages import Encoding, Failure, Message, Reply

log = logging.getLogger("actorkalix.gateway")

_JSON = (b"content-type", b"application/json")
_PROBLEM = (b"content-type", PROBLEM_JSON)
_CLOSE = (b"connection", b"close")
_ACCEPT = Encoding.JSON
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


class _Opened(msgspec.Struct):
    """What the head of a request says."""

    route: Route
    values: list[str]
    entity: str
    key: str
    metadata: tuple[tuple[str, str], ...]
    timeout_ms: int


class _Given(NamedTuple):
    """A request, and headers of its answer."""

    scope: Scope
    receive: Receive
    head: Head
    request_id: str
    headers: Headers


class Answered(Protocol):
    """Is told of every response."""

    def answered(self, status: int, number: str) -> None:
        """Of its HTTP status, and "" or the AK number of its problem."""
        ...


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
        self._action_timeout_ms = int(limits.action_timeout.total_seconds() * 1000)
        self._streams: AskStreams | None = ask if isinstance(ask, AskStreams) else None
        self._may_stream = any(route.streams for route in table.routes)
        self.ends = asyncio.Event()
        self._ready = ready
        self._answered = answered
        self._pages = pages
        self._deadlines = Deadlines()
        self.underway = Underway(self.respond, ask.drop)
        self.repeated = Repeated()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await decline(scope, receive, send)
            return
        page = self._pages.get(scope["path"])
        if page is not None:
            await page(scope, receive, send)
            return
        head = Head(scope["headers"])
        request_id = head.request_id()
        headers: Headers = [_JSON, (b"x-request-id", request_id.encode())]
        path, given = raw_path_of(scope), _Given(scope, receive, head, request_id, headers)
        events = Events(send, partial(self._problem, path, request_id), overrun_in(scope))
        try:
            opened = self._open(scope["method"], path, head, headers)
            if isinstance(opened, Reply):
                reply = opened
            elif opened.route.streams:
                found = await self._stream(opened, given, events)
                if found is None:
                    return
                reply = found
            else:
                reply = await self._reply(opened, given)
            reply_headers(reply, headers)
        except CallerGone:
            return
        except errors.ActorkalixError as error:
            reply = Reply(failure=failure_of(error))
        except asyncio.CancelledError:
            if not events.started:
                await self._send(send, scope, Reply(failure=STOPPED), request_id, headers)
            raise
        except Exception:
            log.exception("a request failed in the gateway, correlation id %s", request_id)
            reply = Reply(failure=BUG)
        await self._send(send, scope, reply, request_id, headers)

    # ---- requests that came whole ---------------------------------------------------------------
    def takes(self, verb: str, target: bytes) -> bool:
        """Whether requests for this target may come to `begin`: pages and streams take events."""
        raw = target.partition(b"?")[0]
        if self._may_stream:
            with suppress(errors.InvalidPayload):
                found = self._match(verb, raw)
                if isinstance(found, Found) and found.route.streams:
                    return False
        if not self._pages:
            return True
        path = unquote_to_bytes(raw) if b"%" in raw else raw
        return path.decode(errors="replace") not in self._pages

    def begin(self, prompt: Prompt, verb: str, target: bytes, head: Head, body: bytes, /) -> None:
        """Begin a request; its connection has the answer then or later.

        Args:
            prompt: the request.
            verb: "GET", say; neither HEAD nor OPTIONS.
            target: raw path, and query behind a question mark.
            head: its headers.
            body: all of it.
        """
        prompt.path, _, query = target.partition(b"?")
        request_id = prompt.request_id = head.request_id()
        prompt.headers = [_JSON, (b"x-request-id", request_id.encode())]
        try:
            opened = self._open(verb, prompt.path, head, prompt.headers)
            if isinstance(opened, Reply):
                reply = opened
            else:
                if len(body) > self._body_bytes_max and verb != "GET":
                    refuse_larger(len(body), self._body_bytes_max)
                message = self._message(opened, query, head, body, request_id)
                if not head.plain:
                    message = queued(message, head, prompt.headers)
                prompt.cancels = opened.route.is_action
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
    async def _reply(self, opened: _Opened, given: _Given) -> Reply:
        """The answer; `headers` get what belongs to it. Raises one of our errors, or CallerGone."""
        scope, receive, head, request_id, headers = given
        has_body = opened.route.verb != "GET"
        if has_body:
            refuse_larger(head.content_length(), self._body_bytes_max)
        timeout_ms, asked = opened.timeout_ms, False
        try:
            with self._deadlines.within(self._body_timeout_s) as wait:
                body = await whole_body(receive, self._body_bytes_max) if has_body else b""
                message = self._message(opened, scope["query_string"], head, body, request_id)
                message = queued(message, head, headers)
                wait.extend(timeout_ms / 1000)
                asked = True
                if opened.route.is_action:
                    return await unless_gone(self._ask(message), gone(receive))
                return await self._ask(message)
        except TimeoutError:
            if asked:
                raise errors.OutcomeUnknown(f"no answer within {timeout_ms:,} ms") from None
            headers.append(_CLOSE)  # what is still to come belongs to no request
            limit = f"{self._body_timeout_s:g} s"
            raise errors.SlowBody(f"the body did not arrive within body_timeout, {limit}") from None

    async def _stream(self, opened: _Opened, given: _Given, events: Events) -> Reply | None:
        """The answer where a stream comes in, goes out, or both; None when it was sent.

        Raises one of our errors, or CallerGone.
        """
        assert self._streams is not None, "a service with streams has somebody who asks for them"
        scope, receive, head, request_id, _ = given
        if scope["method"] == "HEAD":  # and runs no handler whose elements nobody sees
            await events.head(self._opening(request_id, Reply()))
            return None
        handler, elements, body = opened.route.handler, None, b""
        leaves = partial(gone, receive)
        if handler.elements is not None:
            head.refuse_other_than_lines()
            lines = Lines(receive, self._body_bytes_max)
            elements, leaves = aiter(lines), partial(lines.gone)
        elif opened.route.verb != "GET":
            body = await whole_body(receive, self._body_bytes_max)
        message = self._message(opened, scope["query_string"], head, body, request_id)
        if not handler.streams:
            return await unless_gone(self._streams.ask(message, elements), leaves())
        message = msgspec.structs.replace(message, deadline_ms=0)
        opening = partial(self._opening, request_id)
        replies = self._streams.stream(message, elements)
        failure = await events.answer(replies, leaves(), self.ends, opening, STOPPED)
        return None if failure is None else Reply(failure=failure)

    def _opening(self, request_id: str, first: Reply) -> Headers:
        if self._answered is not None:
            self._answered.answered(200, "")
        return reply_headers(first, [(b"x-request-id", request_id.encode())])

    def _problem(self, path: bytes, request_id: str, failure: Failure) -> bytes:
        return problem_of(failure, path.decode("latin-1"), request_id)

    def _open(self, verb: str, path: bytes, head: Head, headers: Headers) -> _Opened | Reply:
        """What a head says, or the answer to it. Raises one of our errors."""
        if not self._ready():
            raise errors.Draining("this host is starting or stopping")
        if head.twice:
            head.refuse_twice()
        found = self._match(verb, path)
        if isinstance(found, WrongVerb):
            return _wrong_verb(verb, found, headers)
        if isinstance(found, NoRoute):
            raise errors.UnknownRoute(found.reason)
        route, values = found.route, found.values
        entity = checked_entity_id(values[route.entity_at]) if route.entity_at >= 0 else ""
        timeout_ms = self._ask_timeout_ms
        if route.is_action:
            timeout_ms = route.timeout_ms or self._action_timeout_ms
        if head.plain:
            return _Opened(route, values, entity, "", (), timeout_ms)
        key, metadata = head.key(), head.decoded_metadata()
        timeout_ms = head.timeout_ms(timeout_ms)
        return _Opened(route, values, entity, key, metadata, timeout_ms)

    def _message(
        self, opened: _Opened, query: bytes, head: Head, body: bytes, request_id: str
    ) -> Message:
        """The message that a request becomes. Raises one of our errors."""
        route = opened.route
        if route.verb == "GET":
            body = b""
        elif body and route.handler.elements is None:
            head.refuse_other_than_json()
        payload, encoding = payload_of(route, opened.values, query, body)
        what = route.kind, route.component, opened.entity, route.handler.name, payload, encoding
        said = _ACCEPT, opened.key, opened.metadata, request_id
        deadline_ms = time.time_ns() // 1_000_000 + opened.timeout_ms
        if head.plain:
            return Message(*what, *said, deadline_ms)
        return Message(*what, *said, deadline_ms, after=head.after(), resume=head.resume())

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
            status = 202 if APPLIED in headers else 204
            del headers[0]
        if status != 204:
            headers.append((b"content-length", b"%d" % len(body)))
        if self._answered is not None:
            self._answered.answered(status, failure.number if failure is not None else "")
        return status, body


def _wrong_verb(verb: str, found: WrongVerb, headers: Headers) -> Reply:
    allow = ", ".join(found.allow)
    headers.append((b"allow", allow.encode()))
    if verb == "OPTIONS":
        return Reply()
    raise errors.MethodNotAllowed(f"this path takes {allow}, not {verb}")
