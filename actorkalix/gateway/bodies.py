"""Bodies of requests: whole, or as a stream of lines; and callers that go away.

A stream is newline-delimited JSON (`application/x-ndjson`), an element a line. What the handler
does not take yet is not read, and the connection holds its sender up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Coroutine
from typing import Any

from starlette.types import Receive

from actorkalix.errors import PayloadTooLarge
from actorkalix_cluster.shardhost.messages import Reply


class CallerGone(Exception):
    """The caller closed the connection before it had its answer."""


class Lines:
    """The body of a request as lines, read as they are taken.

    Args:
        receive: of the request.
        line_bytes_max: a longer line is refused.
    """

    def __init__(self, receive: Receive, line_bytes_max: int) -> None:
        self._receive = receive
        self._max = line_bytes_max
        self._over = asyncio.Event()
        self._left = False

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        """The lines that are not empty, without their ends.

        Raises:
            PayloadTooLarge: a line is too long.
        """
        rest = b""
        more = True
        while more:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                self._left = True
                self._over.set()
                await asyncio.Event().wait()  # until whoever takes the lines is cancelled
            more = event.get("more_body", False)
            *lines, rest = (rest + event.get("body", b"")).split(b"\n")
            if len(rest) > self._max:
                raise PayloadTooLarge(
                    f"a line of the body has more than payload_bytes_max, {self._max:,} bytes"
                )
            for line in lines:
                if line.strip():
                    yield line
        self._over.set()
        if rest.strip():
            yield rest

    async def gone(self) -> None:
        """Return when the caller has gone away: seen where the body is read, and behind it."""
        await self._over.wait()
        if not self._left:
            await gone(self._receive)


async def gone(receive: Receive) -> None:
    """Return when a caller whose request was read has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass  # an empty event behind the body


async def unless_gone(work: Coroutine[Any, Any, Reply], leaves: Awaitable[None]) -> Reply:
    """The answer, unless its caller goes away; then the work is cancelled.

    Raises:
        CallerGone: the caller has gone away.
    """
    asking, leaving = asyncio.ensure_future(work), asyncio.ensure_future(leaves)
    try:
        await asyncio.wait((asking, leaving), return_when=asyncio.FIRST_COMPLETED)
        if asking.done():
            return asking.result()
        raise CallerGone
    finally:
        await ended(asking, leaving)


async def ended(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and wait until they have ended; what they raise then is nobody's business."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def refuse_larger(size: int, bytes_max: int) -> None:
    """Raises PayloadTooLarge for a body of this size or more."""
    if size > bytes_max:
        raise PayloadTooLarge(
            f"the body has {size:,} bytes or more, the limit payload_bytes_max is {bytes_max:,}"
        )


async def whole_body(receive: Receive, bytes_max: int) -> bytes:
    """All of a body.

    Raises:
        PayloadTooLarge: it is too large.
        CallerGone: there is no more to come.
    """
    parts: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise CallerGone
        part: bytes = event.get("body", b"")
        size += len(part)
        refuse_larger(size, bytes_max)
        parts.append(part)
        if not event.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)
