"""Records histories: of a running service through its clients, or of whatever a test drives.

An operation is noted before it is sent, as one with an unknown outcome, and completed when its
answer is there; so a history that is taken in the middle, or after a crash of what was asked, says
no more than is known.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from actorkalix.codec import codecs_for
from actorkalix.describe import descriptor_of
from actorkalix.errors import ActorkalixError, CommandError, InvalidPayload
from actorkalix.gateway import tokens
from actorkalix.gateway.client import HttpTransport
from actorkalix.gateway.tokens import Mark
from actorkalix.model.client import Client
from actorkalix.model.transport import Reply, Request, Transport
from actorkalix_cluster.shardhost.messages import Encoding

from .history import FORMAT, Clock, Header, History, Kind, Operation, Refusal, history_of

ENTITY_ERRORS = frozenset(
    ("AK2001", "AK2002", "AK2008", "AK2009", "AK2010", "AK2011", "AK2012", "AK2014")
)
"""What an entity answers with by itself; its sequential model gives the same. Any other error says
that the operation did not reach it, or that nobody knows."""


class Recorder:
    """Records the history of a service while clients use it.

    Args:
        service: its name.
        clock: gives the time; never goes back.
        unit: what the clock counts.
        started_ms: when it began; by the clock on the wall when not given.

    Attributes:
        operations: noted so far, in the order of their ids.
    """

    def __init__(
        self,
        service: str,
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        unit: Clock = "ns",
        started_ms: int | None = None,
    ) -> None:
        wall_ms = time.time_ns() // 1_000_000 if started_ms is None else started_ms
        self._header = Header(FORMAT, service, unit, wall_ms)
        self._clock = clock
        self.operations: list[Operation] = []

    def client(self, url: str, name: str, *, token: str | None = None) -> Client:
        """A client of the running service at `url` whose operations are recorded under `name`."""
        return Client._over(self.wrap(HttpTransport(url, token=token), name))

    def wrap(self, transport: Transport, name: str) -> Transport:
        """A transport that records what goes through it; what goes at once is several clients."""
        return _Recording(transport, self, name)

    @property
    def newest(self) -> int:
        """Id of the operation that was noted last, 0 before the first."""
        return len(self.operations)

    def invoke(
        self,
        client: str,
        component: str,
        entity: str,
        kind: Kind,
        method: str,
        arguments: Any = None,
        *,
        key: str = "",
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> int:
        """Note what is about to be asked; gives its id. Until it is answered it is unknown."""
        operation = Operation(
            client=client,
            id=len(self.operations) + 1,
            component=component,
            entity=entity,
            kind=kind,
            method=method,
            arguments=arguments,
            metadata=metadata,
            key=key,
            invoked=self._clock(),
            returned=None,
            outcome="unknown",
        )
        self.operations.append(operation)
        return operation.id

    def reply(self, id: int, value: Any, *, position: Mark | None = None, token: str = "") -> None:
        """Note the value that an operation was answered with, as JSON has it."""
        self._end(id, outcome="ok", value=value, position=position, token=token)

    def fail(self, id: int, error: ActorkalixError) -> None:
        """Note the error that an operation was answered with."""
        if error.outcome == "unknown" or error.number not in ENTITY_ERRORS:
            self._end(id, outcome=error.outcome)
            return
        details = error.details if isinstance(error, CommandError) else None
        refusal = Refusal(error.code, error.number, str(error), msgspec.to_builtins(details))
        self._end(id, outcome="error", error=refusal)

    def history(self) -> History:
        """The history so far; what has no answer yet has an unknown outcome.

        Raises:
            HistoryUnreadable: nothing was recorded, or what was contradicts itself.
        """
        return history_of(self._header, self.operations)

    def save(self, path: str | Path) -> None:
        """Write the history so far; see `history`."""
        Path(path).write_bytes(self.history().encode())

    def _end(self, id: int, **answer: Any) -> None:
        asked = self.operations[id - 1]
        assert asked.returned is None, f"{asked} was answered twice"
        self.operations[id - 1] = msgspec.structs.replace(asked, returned=self._clock(), **answer)


class _Recording:
    """A transport that records. Requests in flight at once have a lane each, as a client each."""

    def __init__(self, transport: Transport, recorder: Recorder, name: str) -> None:
        self._transport = transport
        self._recorder = recorder
        self._name = name
        self._free: list[str] = []
        self._lanes = 0

    async def send(self, request: Request, /) -> Reply[Any]:
        if request.entity_id is None:
            return await self._transport.send(request)  # histories are of entities
        descriptor = descriptor_of(request.component)
        codec, method = codecs_for(descriptor), request.method
        body = codec.arguments[method].encode(request.args, request.kwargs, Encoding.JSON)
        lane = self._free.pop() if self._free else self._lane()
        asked = self._recorder.invoke(
            lane,
            descriptor.component_id,
            request.entity_id or "",
            "query" if descriptor.handlers[method].kind == "query" else "command",
            method,
            msgspec.json.decode(body) if body else None,
            key=request.idempotency_key or "",
            metadata=request.metadata.pairs,
        )
        # Whatever else ends it (a cancellation) leaves it unknown, and its lane taken.
        try:
            reply = await self._transport.send(request)
        except ActorkalixError as error:
            self._recorder.fail(asked, error)
            self._free.append(lane)
            raise
        value = msgspec.json.decode(codec.replies[method].encode(reply.value, Encoding.JSON))
        self._recorder.reply(asked, value, position=_position(reply.token), token=reply.token)
        self._free.append(lane)
        return reply

    async def aclose(self) -> None:
        await self._transport.aclose()

    def _lane(self) -> str:
        self._lanes += 1
        return self._name if self._lanes == 1 else f"{self._name}/{self._lanes}"


def _position(token: str) -> Mark | None:
    try:
        marks = tokens.decode(token).marks
    except InvalidPayload:
        return None
    return marks[0] if len(marks) == 1 else None
