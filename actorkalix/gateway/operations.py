"""What operators have done through the admin port: verify, backup, replace, cancel a timer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import PurePosixPath
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from actorkalix import errors
from actorkalix.failures import failure_of
from actorkalix.gateway.http import BUG
from actorkalix.ports import (
    BackupOrder,
    Cancelled,
    CancelOrder,
    Fleet,
    HostView,
    Replaced,
    ReplaceOrder,
    StreamError,
)
from actorkalix_cluster.shardhost.messages import Failure

log = logging.getLogger("actorkalix.gateway")

BODY_BYTES_MAX = 65_536  # a path of 4,096 bytes (PATH_MAX), each of them escaped in JSON
LIMIT_DEFAULT = 100
LIMIT_MAX = 1_000
NDJSON = "application/x-ndjson"

Verify = Callable[[], Awaitable[Any]]
Backup = Callable[[str], AsyncGenerator[msgspec.Struct]]
"""Takes a backup into the folder that is named, and tells how it goes."""
Replace = Callable[[int], Awaitable[None]]
"""Replaces a store's host without losing a request; returns when the next one serves."""
CancelTimer = Callable[[str], Awaitable[bool]]
"""Forgets a timer; says whether there was one."""

T = TypeVar("T")
Order = TypeVar("Order", bound=msgspec.Struct)


class Operations:
    """Answers of the paths that do something; without its function a path answers 404.

    Args:
        fleet: the processes of the service.
        verify: checks all stores and tells what it found, as JSON.
        backup, replace, cancel_timer: as their types say.
    """

    def __init__(
        self,
        fleet: Fleet,
        verify: Verify | None,
        backup: Backup | None,
        replace: Replace | None,
        cancel_timer: CancelTimer | None = None,
    ) -> None:
        self._fleet = fleet
        self._verify = verify
        self._backup = backup
        self._replace = replace
        self._cancel_timer = cancel_timer

    async def verify(self, _: Request) -> Response:
        """What the check of all stores has found."""
        return json_response(await _offered(self._verify)())

    async def backup(self, request: Request) -> Response:
        """Events of a backup, a line each; what goes wrong before the first is a problem."""
        take = _offered(self._backup)
        order = await body_of(request, BackupOrder)
        if not PurePosixPath(order.target).is_absolute() or "\0" in order.target:
            raise errors.InvalidPayload(
                f"target is the absolute path of a folder, not {order.target[:100]!r}"
            )
        events = take(order.target)
        return EventStream(await anext(events, None), events)

    async def replace(self, request: Request) -> Response:
        """The store and its new host, when that serves."""
        replace = _offered(self._replace)
        order = await body_of(request, ReplaceOrder)
        if self._host(order.store) is None:
            stores = ", ".join(str(host.store) for host in self._fleet.fleet().hosts) or "none"
            raise errors.UnknownRoute(f"there is no store {order.store}; there is {stores}")
        await replace(order.store)
        return json_response(Replaced(order.store, self._host(order.store)))

    async def cancel_timer(self, request: Request) -> Response:
        """Whether there was a timer of that name; now there is none."""
        cancel = _offered(self._cancel_timer)
        order = await body_of(request, CancelOrder)
        return json_response(Cancelled(order.name, await cancel(order.name)))

    def _host(self, store: int) -> HostView | None:
        return next((host for host in self._fleet.fleet().hosts if host.store == store), None)


class EventStream(StreamingResponse):
    """Events as JSON, a line each, as they come; an error among them is the last line.

    Each event is waited for in a task of its own. Who stops reading has the response cancelled,
    over and over by anyio until it gives in; the generator is to be closed once, in peace.

    Args:
        first: the first event, None when there is none.
        events: the others; closed at the end.
    """

    def __init__(
        self, first: msgspec.Struct | None, events: AsyncGenerator[msgspec.Struct]
    ) -> None:
        self._events = events
        self._next: asyncio.Task[msgspec.Struct | None] | None = None
        super().__init__(self._lines(first), media_type=NDJSON)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all of it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._next is not None:
                self._next.cancel()
                await asyncio.gather(self._next, return_exceptions=True)
            await self._events.aclose()

    async def _lines(self, event: msgspec.Struct | None) -> AsyncGenerator[bytes]:
        while event is not None:
            yield msgspec.json.encode(event) + b"\n"
            self._next = asyncio.create_task(self._after())
            try:
                event = await asyncio.shield(self._next)
            except errors.ActorkalixError as error:
                yield _last_line(failure_of(error))
                return
            except Exception:
                log.exception("a stream of the admin port failed")
                yield _last_line(BUG)
                return

    async def _after(self) -> msgspec.Struct | None:
        return await anext(self._events, None)


def json_response(value: Any, status: int = 200) -> Response:
    """A value as JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _last_line(failure: Failure) -> bytes:
    error = StreamError(failure.number, failure.code, failure.message, failure.outcome)
    return msgspec.json.encode({"error": error}) + b"\n"


def _offered(function: T | None) -> T:
    if function is None:
        raise errors.UnknownRoute("the admin port of this service does not offer that")
    return function


def number_of(request: Request, name: str, default: int, lowest: int, highest: int) -> int:
    """A number of the query.

    Raises:
        InvalidPayload: it is none, or out of range.
    """
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise errors.InvalidPayload(f"{name} is a number, not {text[:40]!r}")
    if not lowest <= int(text) <= highest:
        raise errors.InvalidPayload(f"{name} is {lowest:,} to {highest:,}, not {int(text):,}")
    return int(text)


async def body_of(request: Request, shape: type[Order]) -> Order:
    """The body of a request.

    Raises:
        PayloadTooLarge, InvalidPayload: it is no such order; the message names its fields.
    """
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > BODY_BYTES_MAX:
                raise errors.PayloadTooLarge(f"the body is at most {BODY_BYTES_MAX:,} bytes")
        return msgspec.json.decode(body, type=shape)
    except ClientDisconnect as error:
        raise errors.InvalidPayload("the body ended before it was whole") from error
    except msgspec.MsgspecError as error:
        fields = ", ".join(field.name for field in msgspec.structs.fields(shape))
        raise errors.InvalidPayload(f"the body is a JSON object of {fields}: {error}") from error
