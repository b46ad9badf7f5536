"""The process's side of a view that is asked from other nodes: it answers as a host would.

See `far_frames` for how queries travel. Each host has a session. What is to be said to it lies
there until it calls, `READY_BYTES_MAX` at most; streams go on as their host takes what they have
given (`WINDOW_BYTES`), so a slow reader anywhere costs what it lacks, and no more. A host that has
not called for `LEASE_MS` is gone, and so is all that it has asked.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from typing import Protocol

import msgspec

from actorkalix.errors import ActorkalixError, OwnerAway, catalog
from actorkalix.runtime.far_frames import (
    BATCH_BYTES,
    WINDOW_BYTES,
    Asked,
    Dropped,
    Element,
    Heard,
    InOrder,
    More,
    Question,
    Said,
    Told,
    cost_of,
    packed,
    said_in,
)
from actorkalix.runtime.until import Until
from actorkalix.runtime.view_places import HEADS, SUBJECT, SubjectAsked
from actorkalix.runtime.view_places import Places as Heads
from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.clock import Clock, Handle
from actorkalix_cluster.shardhost.messages import Message, Reply
from actorkalix_storage.api import Position

log = logging.getLogger("actorkalix.views")

POLL_MS = 10_000  # a call that waits for nothing returns then, and comes again
LEASE_MS = 30_000
QUESTION_MS = 3_000  # below `view_wait_timeout`, for waits alone ask
READY_BYTES_MAX = 2 * 2**20

_session: contextvars.ContextVar[_Session] = contextvars.ContextVar("session")


class Runner(Protocol):
    """Answers queries; see `ViewRunner`."""

    def begin(self, message: Message, /) -> Reply | None: ...

    async def run(self, message: Message, /) -> Reply: ...

    def stream(self, message: Message, /) -> AsyncGenerator[Reply]: ...


class FarAnswers:
    """See the module. On the process's loop.

    Args:
        runner: answers; what it asks of `AskedPlaces` is asked of the host whose query it is.
        clock: whose time deadlines are in.
    """

    def __init__(self, runner: Runner, clock: Clock) -> None:
        self._clock = clock
        self._runner = runner
        self._sessions: dict[int, _Session] = {}
        self._sweep: Handle | None = None

    async def exchange(self, arguments: bytes) -> bytes:
        """Take what a host says, and return when there is something to say to it.

        Args:
            arguments: a `Said`; the answer is a `Heard`.
        """
        said = said_in(arguments)
        session = self._sessions.get(said.session)
        if session is None:
            if said.number > 1:  # of two calls the second may come first
                return packed(Heard(-1))
            session = _Session(said, self._runner, self._clock)
            self._sessions[said.session] = session
        session.called_ms = self._clock.now_ms()
        if self._sweep is None:
            self._sweep = self._clock.call_later(LEASE_MS // 2, self._look)
        for one in session.order.take(said.number, said):
            session.take(one)
        return packed(await session.heard())

    def _look(self) -> None:
        """Forget hosts that are gone."""
        self._sweep = None
        since_ms = self._clock.now_ms() - LEASE_MS
        for number, session in list(self._sessions.items()):
            if session.called_ms <= since_ms:
                del self._sessions[number]
                session.close()
        if self._sessions:
            self._sweep = self._clock.call_later(LEASE_MS // 2, self._look)

    async def aclose(self) -> None:
        """Answer nothing more."""
        if self._sweep is not None:
            self._sweep.cancel()
        for session in self._sessions.values():
            session.close()
        await asyncio.gather(
            *(task for session in self._sessions.values() for task in session.tasks.values()),
            return_exceptions=True,
        )


class _Session:
    """What a host has asked."""

    def __init__(self, said: Said, runner: Runner, clock: Clock) -> None:
        self.shards, self.lineage = said.shards, said.lineage
        self.order: InOrder[Said] = InOrder()
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self.called_ms = 0
        self._runner = runner
        self._clock = clock
        self._ready: deque[Element] = deque()
        self._bytes = 0
        self._room = asyncio.Event()
        self._windows: dict[int, _Window] = {}
        self._questions: list[Question] = []
        self._open: dict[int, asyncio.Future[Told]] = {}
        self._asked = self._number = 0
        self._waiter: asyncio.Future[None] | None = None

    # ---- calls --------------------------------------------------------------------------------
    def take(self, said: Said) -> None:
        """What the host says, in order."""
        for frame in said.frames:
            match frame:
                case Asked():
                    self._begin(frame)
                case Dropped(number):
                    self._drop(number)
                case More(number, more):
                    self._more(number, more)
                case Told(number):
                    told = self._open.pop(number, None)
                    if told is not None and not told.done():
                        told.set_result(frame)

    async def heard(self) -> Heard:
        """What there is to say, when there is something, or the next call comes."""
        self._wake()
        if not self._ready and not self._questions:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiter = waiter
            with suppress(TimeoutError), Until(self._clock, POLL_MS):
                await waiter
        elements: list[Element] = []
        size = 0
        while self._ready and (not elements or size < BATCH_BYTES):
            elements.append(self._ready.popleft())
            size += len(elements[-1].reply.payload)
        self._bytes -= size
        if self._bytes < READY_BYTES_MAX:
            self._room.set()
        questions, self._questions = tuple(self._questions), []
        number, self._number = self._number, self._number + 1
        return Heard(number, tuple(elements), questions)

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def close(self) -> None:
        """Nobody is there any more."""
        for task in self.tasks.values():
            task.cancel()
        self._wake()

    # ---- queries ------------------------------------------------------------------------------
    def _begin(self, asked: Asked) -> None:
        deadline_ms = self._clock.now_ms() + asked.left_ms if asked.left_ms else 0
        message = msgspec.structs.replace(asked.message, deadline_ms=deadline_ms)
        if not asked.stream and self._bytes < READY_BYTES_MAX:
            reply = self._runner.begin(message)
            if reply is not None:
                self._put(Element(asked.id, True, reply))
                return
        work = self._stream(asked.id, message) if asked.stream else self._run(asked.id, message)
        self.tasks[asked.id] = asyncio.get_running_loop().create_task(work)

    def _drop(self, number: int) -> None:
        task = self.tasks.get(number)
        if task is not None:
            task.cancel()

    def _more(self, number: int, more: int) -> None:
        window = self._windows.get(number)
        if window is not None:
            window.open(more)

    async def _run(self, number: int, message: Message) -> None:
        _session.set(self)
        try:
            try:
                reply = await self._runner.run(message)
            except Exception:
                log.exception("a bug of actorkalix, correlation id %s", message.correlation_id)
                reply = Reply(failure=failures.bug(message.correlation_id))
            await self._give(Element(number, True, reply))
        finally:
            self.tasks.pop(number, None)

    async def _stream(self, number: int, message: Message) -> None:
        _session.set(self)
        window = self._windows[number] = _Window()
        try:
            async with aclosing(self._runner.stream(message)) as replies:
                async for reply in replies:
                    await window.take(cost_of(reply))
                    await self._give(Element(number, False, reply))
            await self._give(Element(number, True, Reply()))
        finally:
            self.tasks.pop(number, None)
            self._windows.pop(number, None)

    async def _give(self, element: Element) -> None:
        while self._bytes >= READY_BYTES_MAX:
            self._room.clear()
            await self._room.wait()
        self._put(element)

    def _put(self, element: Element) -> None:
        self._ready.append(element)
        self._bytes += len(element.reply.payload)
        self._wake()

    # ---- questions ----------------------------------------------------------------------------
    async def ask(self, method: str, arguments: bytes) -> bytes:
        """What the host answers to a question.

        Raises:
            OwnerAway: it does not answer in time.
            ActorkalixError: what it says instead.
        """
        self._asked += 1
        number = self._asked
        told: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        self._open[number] = told
        self._questions.append(Question(number, method, arguments))
        self._wake()
        try:
            with Until(self._clock, QUESTION_MS):
                answer = await told
        except TimeoutError:
            raise OwnerAway("the host that asks does not say where its shards are") from None
        finally:
            self._open.pop(number, None)
        if answer.number:
            raise catalog().get(answer.number, ActorkalixError)(answer.value.decode())
        return answer.value


class _Window:
    """What of a stream may be on its way."""

    def __init__(self) -> None:
        self._left = WINDOW_BYTES
        self._opened = asyncio.Event()

    async def take(self, size: int) -> None:
        """Return when there is room; an element larger than the window goes alone."""
        while self._left <= 0:
            self._opened.clear()
            await self._opened.wait()
        self._left -= size

    def open(self, size: int) -> None:
        """The host has taken so much."""
        self._left += size
        self._opened.set()


class AskedPlaces:
    """`view_waits.Places` by the host whose query it is."""

    @property
    def shards(self) -> int:
        """How many there are."""
        return _session.get().shards

    @property
    def lineage(self) -> int:
        """Of the stores."""
        return _session.get().lineage

    async def heads(self) -> Mapping[int, Position]:
        """The newest position of every shard that has one."""
        answer = await _session.get().ask(HEADS, b"")
        found = msgspec.msgpack.decode(answer, type=Heads)
        return {shard: Position(*at) for shard, at in found.items()}

    async def subject_at(self, shard: int, offset: int) -> tuple[str, str] | None:
        """Component and entity of a record."""
        asked = msgspec.msgpack.encode(SubjectAsked(shard, offset))
        answer = await _session.get().ask(SUBJECT, asked)
        return msgspec.msgpack.decode(answer, type=tuple[str, str] | None)
