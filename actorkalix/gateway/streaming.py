"""Answers that are streams: server-sent events.

Each element is an event with its number, or its own mark, as `id` and its JSON as `data`. Until the
first one is there, or has not come for `HEARTBEAT_S`, nothing is sent, so that a refusal has a
status of its own; later it is an event `error` with the problem document. A comment each
`HEARTBEAT_S` keeps the connection open, and tells that it is.

A reader who takes nothing holds up the source of the elements and costs what lies in buffers. After
`SLOW_S` the stream ends: with such an event behind what the reader has still to take, so that it
knows why, and may come back with the id of the last element.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress

from starlette.types import Scope, Send

from actorkalix.errors import SlowReader
from actorkalix.failures import failure_of
from actorkalix.gateway.bodies import ended
from actorkalix.gateway.headers import Headers
from actorkalix_cluster.shardhost.messages import Failure, Reply

log = logging.getLogger("actorkalix.http")

SLOW_S = 30.0  # a reader that is only slow takes a buffer of 64 KiB in that time
OVERRUN = "actorkalix.overrun"
HEARTBEAT_S = 15.0  # proxies close what is silent for 30 to 60 s
EVENT_STREAM = (b"content-type", b"text/event-stream")
_NO_CACHE = (b"cache-control", b"no-store")
_UNBUFFERED = (b"x-accel-buffering", b"no")  # nginx holds answers back otherwise


class _Slow(Exception):
    """The reader takes nothing."""


class Events:
    """An answer that is a stream of events.

    Args:
        send: of the request.
        problem: the problem document of a failure.
        overrun: from now on what is sent does not wait for the reader; the connection ends soon.

    Attributes:
        started: something was sent.
    """

    def __init__(
        self,
        send: Send,
        problem: Callable[[Failure], bytes],
        overrun: Callable[[], object] = lambda: None,
    ) -> None:
        self._send = send
        self._problem = problem
        self._overrun = overrun
        self.started = False

    async def answer(
        self,
        replies: AsyncGenerator[Reply],
        leaves: Awaitable[None],
        ends: asyncio.Event,
        opening: Callable[[Reply], Headers],
        stopped: Failure,
    ) -> Failure | None:
        """Send the elements as they come; then close the stream, whatever happened.

        Args:
            replies: the elements; a failure is the last.
            leaves: returns when the caller has gone away.
            ends: is set when this host stops.
            opening: headers of the answer, by its first element.
            stopped: what is said when this host stops.

        Returns:
            The failure that came before anything was sent: it is the answer.
        """
        leaving = asyncio.ensure_future(leaves)
        ending = asyncio.ensure_future(ends.wait())
        upcoming = asyncio.ensure_future(_next(replies))
        number = 0
        try:
            while True:
                waited = (upcoming, leaving, ending)
                await asyncio.wait(waited, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
                if leaving.done():
                    return None
                reply = upcoming.result() if upcoming.done() else Reply()
                failure = reply.failure if reply is not None else None
                if failure is None and ending.done():
                    failure = stopped
                if failure is not None and not self.started:
                    return failure
                await self._start(opening(reply or Reply()))
                if failure is not None:
                    await self._fail(failure)
                    return None
                if reply is None:
                    await self._write(b"", more=False)
                    return None
                if upcoming.done():
                    await self._write(_event_of(reply, number))
                    number += 1
                    upcoming = asyncio.ensure_future(_next(replies))
                else:
                    await self._write(b":\n\n")
        except _Slow:
            self._overrun()
            error = SlowReader(f"nothing of the stream was taken for {SLOW_S:g} s")
            log.warning("a stream is ended after %d elements: %s", number, error)
            with suppress(_Slow):  # under another server than ours
                await self._fail(failure_of(error))
            return None
        finally:
            await ended(upcoming, leaving, ending)
            await replies.aclose()

    async def _fail(self, failure: Failure) -> None:
        await self._write(b"event: error\ndata: %b\n\n" % self._problem(failure))
        await self._write(b"", more=False)

    async def head(self, headers: Headers) -> None:
        """Send the headers of such an answer, without elements."""
        await self._start(headers)
        await self._write(b"", more=False)

    async def _start(self, headers: Headers) -> None:
        if not self.started:
            self.started = True
            lines = [EVENT_STREAM, _NO_CACHE, _UNBUFFERED, *headers]
            await self._send({"type": "http.response.start", "status": 200, "headers": lines})

    async def _write(self, body: bytes, *, more: bool = True) -> None:
        try:
            async with asyncio.timeout(SLOW_S):
                await self._send({"type": "http.response.body", "body": body, "more_body": more})
        except TimeoutError:
            raise _Slow from None


def overrun_in(scope: Scope) -> Callable[[], object]:
    """What our server lets a stream do that gives up its reader; nothing with another server."""
    extension = scope.get("extensions", {}).get(OVERRUN, {})
    overrun: Callable[[], object] = extension.get("call", lambda: None)
    return overrun


def _event_of(reply: Reply, number: int) -> bytes:
    kind = b"event: %b\n" % reply.event.encode() if reply.event else b""
    return b"id: %b\n%bdata: %b\n\n" % (
        reply.mark.encode() if reply.mark else b"%d" % number,
        kind,
        reply.payload,
    )


async def _next(replies: AsyncGenerator[Reply]) -> Reply | None:
    return await anext(replies, None)
