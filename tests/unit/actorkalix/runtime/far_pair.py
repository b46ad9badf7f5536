"""Both sides of a view on another node in one process, on virtual time, with a scripted runner."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from actorkalix.engine.action import Elements
from actorkalix.limits import Limits
from actorkalix.runtime.far_answering import AskedPlaces, FarAnswers
from actorkalix.runtime.far_asking import FarQueries
from actorkalix.runtime.far_frames import EXCHANGE
from actorkalix.runtime.virtual import VirtualClock
from actorkalix_cluster.shardhost.messages import Message, MessageKind, Reply
from tests.unit.actorkalix.runtime.counted import Shards


def asked(method: str, deadline_ms: int = 0) -> Message:
    """A query."""
    return Message(MessageKind.QUERY, "tallies", "", method, deadline_ms=deadline_ms)


class Scripted:
    """In place of a `ViewRunner`: the method says what comes.

    Attributes:
        given: elements that streams have given so far.
        cancelled: queries that were dropped, by method.
        gate: what `wait` waits for.
    """

    def __init__(self) -> None:
        self.given = 0
        self.cancelled: list[str] = []
        self.gate = asyncio.Event()
        self.deadlines: list[int] = []
        self.places = AskedPlaces()

    def begin(self, message: Message) -> Reply | None:
        """`now` is answered at once."""
        self.deadlines.append(message.deadline_ms)
        return Reply(b"now") if message.method == "now" else None

    async def run(self, message: Message, elements: Elements | None = None, /) -> Reply:
        """`wait` waits, `heads` and `subject` ask, `bug` fails."""
        try:
            match message.method:
                case "wait":
                    await self.gate.wait()
                case "heads":
                    heads = await self.places.heads()
                    return Reply(f"{self.places.shards} {sorted(heads.items())}".encode())
                case "subject":
                    return Reply(str(await self.places.subject_at(3, 9)).encode())
                case "bug":
                    raise RuntimeError("a bug")
                case _:
                    return Reply(message.method.encode())
        except asyncio.CancelledError:
            self.cancelled.append(message.method)
            raise
        return Reply(message.method.encode())

    async def stream(
        self, message: Message, elements: Elements | None = None, /
    ) -> AsyncGenerator[Reply]:
        """So many elements as the method says, then `wait` for ever or the end."""
        count, _, rest = message.method.partition(" ")
        try:
            for number in range(int(count)):
                self.given += 1
                yield Reply(b"%d" % number if rest != "large" else b"x" * 1_000_000)
            if rest == "wait":
                await self.gate.wait()
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled.append(message.method)
            raise


class Pair:
    """A host, and the process that it asks.

    Attributes:
        calls: arguments of all that were made.
        between: is awaited with the number of a call before it gets there.
        ended: why calls fail, "" while they do not.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.clock = VirtualClock()
        self.runner = Scripted()
        self.answers = FarAnswers(self.runner, self.clock)
        self.places = Shards()
        self.calls: list[bytes] = []
        self.between: Callable[[int], Awaitable[None]] | None = None
        self.ended = ""
        self.queries = FarQueries(self._call, self.places, self.clock, limits or Limits())

    async def _call(self, method: str, arguments: bytes) -> bytes:
        assert method == EXCHANGE
        self.calls.append(arguments)
        if self.between is not None:
            await self.between(len(self.calls))
        if self.ended:
            raise ConnectionError(self.ended)
        answer = await self.answers.exchange(arguments)
        if self.ended:
            raise ConnectionError(self.ended)
        return answer

    async def aclose(self) -> None:
        """End both."""
        await self.queries.aclose()
        await self.answers.aclose()
