"""Requests that came whole: answered without a task, a timer or a stream of events for each.

Theory of operation. Most requests are small and arrive in one piece. Such a one becomes a message
at once, in the very call in which its connection has read it, and its answer is written by whoever
has it. Requests that come in pieces, wait behind another one of their connection, or want something
special go through ASGI like everybody's (`server.Connection` decides, `http.Endpoint` does both).

Answers are told from the midst of a host's work, many at a time: a commit has those of all who were
in it. They are noted down and written in one call of the loop's.

A request ends when it is answered or after its time, whichever comes first, as with `Deadlines`:
callers nearly never wait that long, so one timer looks at all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from actorkalix.gateway.headers import Headers
from actorkalix.ports import Ask
from actorkalix_cluster.shardhost.asked import Asked, Tell
from actorkalix_cluster.shardhost.messages import Message, Reply

TICK_S = 0.05
GRACE_S = 2 * TICK_S
"""Beyond a request's time: who has its message knows more of it, and tells within two ticks."""


class Asking(Ask, Protocol):
    """Sends messages for callers that are no tasks."""

    def begin(self, message: Message, tell: Tell, /) -> Reply | Asked:
        """Send a message: its answer where it is there at once, else `tell` gets it."""
        ...

    def drop(self, asked: Asked, /) -> None:
        """Nobody waits any more: what was not started is dropped, any other runs to its end."""
        ...


class Connection(Protocol):
    """Where an answer is written."""

    def answer(self, prompt: Prompt, status: int, headers: Headers, body: bytes, /) -> None:
        """Write it, unless the caller has gone away."""
        ...


class _Nobody:
    """In place of an event that somebody waits for."""

    def set(self) -> None:
        """Nobody does."""


class Prompt:
    """A request that came whole, and what its connection has to know of its answer.

    Args:
        connection: that it came on.
        keep_alive: the connection goes on after the answer.

    Attributes:
        path: raw, for error documents.
        request_id: the caller's or ours.
        headers: of the answer.
        seconds: how long it waits for its answer.
        until: the loop's time at which it waits no longer.
        response_complete: it was answered.
        disconnected: its caller has gone away.
        message_event: uvicorn sets it when the caller goes away.
    """

    __slots__ = (
        "connection",
        "disconnected",
        "headers",
        "keep_alive",
        "path",
        "request_id",
        "response_complete",
        "seconds",
        "until",
    )

    message_event = _Nobody()

    def __init__(self, connection: Connection, *, keep_alive: bool) -> None:
        self.connection = connection
        self.keep_alive = keep_alive
        self.path = b""
        self.request_id = ""
        self.headers: Headers = []
        self.seconds = self.until = 0.0
        self.response_complete = False
        self.disconnected = False


class Underway:
    """Requests that wait for their answers.

    Args:
        respond: writes the answer to a request.
        drop: tells who has a message that nobody waits for it any more.
        late: the answer to a request whose time is over.
    """

    def __init__(
        self,
        respond: Callable[[Prompt, Reply], object],
        drop: Callable[[Asked], object],
        late: Callable[[Prompt], Reply],
    ) -> None:
        self._respond = respond
        self._drop = drop
        self._late = late
        self._open: dict[Prompt, Asked] = {}
        self._told: list[tuple[Prompt, Reply]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._empty: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._open) + len(self._told)

    def add(self, prompt: Prompt, asked: Asked, seconds: float) -> None:
        """It waits, for so long."""
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        prompt.seconds = seconds
        prompt.until = loop.time() + seconds + GRACE_S
        self._open[prompt] = asked
        if self._timer is None:
            self._timer = loop.call_later(TICK_S, self._tick)

    def told(self, prompt: Prompt, reply: Reply) -> None:
        """Its answer is there."""
        if self._open.pop(prompt, None) is None:
            return  # it was given up
        assert self._loop is not None, "it was added"
        if not self._told:
            self._loop.call_soon(self._flush)
        self._told.append((prompt, reply))

    def _flush(self) -> None:
        told, self._told = self._told, []
        for prompt, reply in told:
            self._respond(prompt, reply)
        if self._empty is not None and not self and not self._empty.done():
            self._empty.set_result(None)

    def _tick(self) -> None:
        assert self._loop is not None, "it was added"
        now = self._loop.time()
        for prompt in [prompt for prompt in self._open if prompt.until <= now]:
            self._give_up(prompt, self._late(prompt))
        self._timer = self._loop.call_later(TICK_S, self._tick) if self._open else None

    def _give_up(self, prompt: Prompt, reply: Reply) -> None:
        self._drop(self._open[prompt])
        self.told(prompt, reply)

    async def empty(self) -> None:
        """Return when none waits."""
        if self:
            self._empty = asyncio.get_running_loop().create_future()
            await self._empty

    def stop(self, reply: Reply) -> None:
        """Answer all with this, now."""
        for prompt in list(self._open):
            self._give_up(prompt, reply)
        self._flush()
