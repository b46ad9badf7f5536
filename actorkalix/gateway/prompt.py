"""Requests that came whole: answered without a task, a timer or a stream of events for each.

Theory of operation. Most requests are small and arrive in one piece. Such a one becomes a message
at once, in the very call in which its connection has read it, and its answer is written by whoever
has it. Requests that come in pieces, wait behind another one of their connection, or want something
special go through ASGI like everybody's (`connection` decides, `http.Endpoint` does both).

Answers are told from the midst of a host's work, many at a time: a commit has those of all who were
in it. They are noted down and written in one call of the loop's.

Nothing here looks at the time: a message carries its deadline, and who has it tells something by
then (`Asking.begin`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar, Protocol

import msgspec

from actorkalix.gateway.headers import Headers
from actorkalix.ports import Ask
from actorkalix_cluster.shardhost.asked import Asked, Begins
from actorkalix_cluster.shardhost.messages import Reply


class Asking(Ask, Begins, Protocol):
    """Sends messages, for callers that are tasks and for others."""


class Connection(Protocol):
    """Where an answer is written."""

    def answer(self, prompt: Prompt, status: int, headers: Headers, body: bytes, /) -> None:
        """Write it, unless the caller has gone away."""
        ...


class _Nobody:
    """In place of an event that somebody waits for."""

    def set(self) -> None:
        """Nobody does."""


class Prompt(msgspec.Struct, eq=False):
    """A request that came whole, and what its connection has to know of its answer.

    A struct, for there is one for each request.

    Attributes:
        connection: that it came on.
        keep_alive: the connection goes on after the answer.
        path: raw, for error documents.
        request_id: the caller's or ours.
        headers: of the answer.
        cancels: what runs for it is cancelled when its caller goes away.
        response_complete: it was answered.
        disconnected: its caller has gone away.
        message_event: uvicorn sets it when the caller goes away.
    """

    message_event: ClassVar[_Nobody] = _Nobody()

    connection: Connection
    keep_alive: bool
    path: bytes = b""
    request_id: str = ""
    headers: Headers = []
    cancels: bool = False
    response_complete: bool = False
    disconnected: bool = False


class Underway:
    """Requests that wait for their answers.

    Args:
        respond: writes the answer to a request.
        drop: tells who has a message that nobody waits for it any more.
    """

    def __init__(
        self,
        respond: Callable[[Prompt, Reply], object],
        drop: Callable[[Asked], object],
    ) -> None:
        self._respond = respond
        self._drop = drop
        self._open: dict[Prompt, Asked] = {}
        self._told: list[tuple[Prompt, Reply]] = []
        self._emptied = asyncio.Event()

    def __len__(self) -> int:
        return len(self._open) + len(self._told)

    def add(self, prompt: Prompt, asked: Asked) -> None:
        """It waits."""
        self._open[prompt] = asked

    def told(self, prompt: Prompt, reply: Reply) -> None:
        """Its answer is there."""
        if self._open.pop(prompt, None) is None:
            return  # it was given up
        if not self._told:
            asyncio.get_running_loop().call_soon(self._flush)
        self._told.append((prompt, reply))

    def gone(self, prompt: Prompt) -> None:
        """Its caller has gone away."""
        if prompt.cancels and (asked := self._open.pop(prompt, None)) is not None:
            self._drop(asked)
            if not self:
                self._emptied.set()

    def _flush(self) -> None:
        told, self._told = self._told, []
        for prompt, reply in told:
            self._respond(prompt, reply)
        if not self:
            self._emptied.set()

    async def empty(self) -> None:
        """Return when none waits."""
        while self:
            self._emptied.clear()
            await self._emptied.wait()

    def stop(self, reply: Reply) -> None:
        """Answer all with this, now."""
        for prompt, asked in list(self._open.items()):
            self._drop(asked)
            self.told(prompt, reply)
        self._flush()
