"""The host's side of a view on another node: queries go to the view's process, answers come back.

See `far_frames` for how they travel. What is under way when the process ends is `Lost`: a query
reads alone, so whoever waits for it may ask the next process.

    asked --batch--> there --element--> answered
      '---- the caller goes away: dropped there too
      '---- the process ends: Lost
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable

import msgspec

from actorkalix.errors import ActorkalixError, Overloaded
from actorkalix.limits import Limits
from actorkalix.runtime.far_frames import (
    BATCH_BYTES,
    EXCHANGE,
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
    heard_in,
    packed,
)
from actorkalix.runtime.view_places import HEADS, SUBJECT, SubjectAsked
from actorkalix.runtime.view_waits import Places
from actorkalix_cluster.shardhost.clock import Clock
from actorkalix_cluster.shardhost.messages import Message, Reply

log = logging.getLogger("actorkalix.views")

CALLS_MAX = 2
IDLE_MS = 15_000  # half of `far_answering.LEASE_MS`
FRAME_BYTES = 512  # of a query without its arguments, about

Call = Callable[[str, bytes], Awaitable[bytes]]
"""Calls a method of the view's process; raises `ConnectionError` when that has ended."""


class Lost(Exception):
    """The process ended, or is another one, before it had answered."""


class FarQueries:
    """See the module. On the host's loop.

    Args:
        call: asks the view's process.
        places: of the service; the process asks for them.
        clock: whose time deadlines are in.
        limits: of the service.
    """

    def __init__(self, call: Call, places: Places, clock: Clock, limits: Limits) -> None:
        self._call = call
        self._places = places
        self._clock = clock
        self._pending_max = limits.view_queries_max
        self._session = _Session()
        self._ids = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Queries under way."""
        return len(self._session.pending)

    # ---- queries ------------------------------------------------------------------------------
    async def ask(self, message: Message) -> Reply:
        """The answer.

        Cancellation: it is dropped there as well.

        Raises:
            Lost: ask again.
            Overloaded: too many are under way.
        """
        replies = self._replies(message, stream=False)
        try:
            async for reply in replies:
                return reply
        finally:
            await replies.aclose()
        raise Lost("the process has not answered")

    async def stream(self, message: Message) -> AsyncGenerator[Reply]:
        """The elements of the answer; raises as `ask`. Closing it drops the query."""
        replies = self._replies(message, stream=True)
        try:
            async for reply in replies:
                yield reply
        finally:
            await replies.aclose()

    async def _replies(self, message: Message, *, stream: bool) -> AsyncGenerator[Reply]:
        session = self._current()
        if len(session.pending) >= self._pending_max:
            raise Overloaded("too many queries wait for this view")
        self._ids += 1
        number = self._ids
        coming: asyncio.Queue[Element | None] = asyncio.Queue()  # its window bounds it
        session.pending[number] = coming
        left_ms = max(1, message.deadline_ms - self._clock.now_ms()) if message.deadline_ms else 0
        size = FRAME_BYTES + len(message.payload)
        self._say(session, Asked(number, stream, left_ms, message), size)
        had = 0
        try:
            while True:
                element = await coming.get()
                if element is None:
                    raise Lost(session.reason)
                if not (stream and element.last):  # a stream ends with nothing
                    yield element.reply
                if element.last:
                    return
                had += cost_of(element.reply)
                if had >= WINDOW_BYTES // 4:
                    self._say(session, More(number, had), FRAME_BYTES)
                    had = 0
        finally:
            if session.pending.pop(number, None) is not None and not session.reason:
                self._say(session, Dropped(number), FRAME_BYTES)

    # ---- calls --------------------------------------------------------------------------------
    def _current(self) -> _Session:
        """The session; another one where the process may have forgotten it by now."""
        session, now_ms = self._session, self._clock.now_ms()
        idle = not (session.pending or session.flying)
        if idle and session.calls and now_ms - session.called_ms > IDLE_MS:
            session = self._session = _Session()
        return session

    def _say(self, session: _Session, frame: Asked | Dropped | More | Told, size: int) -> None:
        session.out.append((frame, size))
        self._pump(session)

    def _pump(self, session: _Session) -> None:
        """Have as many calls under way as there is to say, and one that waits for answers."""
        while not session.reason and (
            (session.out and session.flying < CALLS_MAX) or (session.pending and not session.flying)
        ):
            session.flying += 1
            said = Said(
                session.id,
                session.calls,
                self._places.shards,
                self._places.lineage,
                session.batch(),
            )
            session.calls += 1
            session.called_ms = self._clock.now_ms()
            task = asyncio.get_running_loop().create_task(self._exchange(session, said))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _exchange(self, session: _Session, said: Said) -> None:
        try:
            heard = heard_in(await self._call(EXCHANGE, packed(said)))
        except (ConnectionError, msgspec.MsgspecError, ValueError, ActorkalixError) as error:
            self._lose(session, str(error) or type(error).__name__)
            return
        finally:
            session.flying -= 1
        if heard.number < 0:
            self._lose(session, "the process is another one")
            return
        for one in session.order.take(heard.number, heard):
            self._heard(session, one)
        self._pump(session)

    def _heard(self, session: _Session, heard: Heard) -> None:
        for element in heard.elements:
            waiting = session.pending.get(element.id)
            if waiting is None:
                continue  # it was dropped meanwhile
            if element.last:
                del session.pending[element.id]
            waiting.put_nowait(element)
        for question in heard.questions:
            task = asyncio.get_running_loop().create_task(self._tell(session, question))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _lose(self, session: _Session, reason: str) -> None:
        """The process has ended: all that is under way is lost, the next query begins anew."""
        if session.reason:
            return
        session.reason = reason
        if self._session is session:
            self._session = _Session()
        pending, session.pending = session.pending, {}
        for waiting in pending.values():
            waiting.put_nowait(None)

    # ---- questions ----------------------------------------------------------------------------
    async def _tell(self, session: _Session, question: Question) -> None:
        try:
            told = Told(question.id, await self._answer(question))
        except ActorkalixError as error:
            told = Told(question.id, str(error).encode(), error.number)
        self._say(session, told, FRAME_BYTES + len(told.value))

    async def _answer(self, question: Question) -> bytes:
        if question.method == HEADS:
            heads = await self._places.heads()
            found = {shard: (at.lineage, at.epoch, at.offset) for shard, at in heads.items()}
            return msgspec.msgpack.encode(found)
        assert question.method == SUBJECT, question.method
        asked = msgspec.msgpack.decode(question.arguments, type=SubjectAsked)
        subject = await self._places.subject_at(asked.shard, asked.offset)
        return msgspec.msgpack.encode(subject)

    async def aclose(self) -> None:
        """Ask nothing more; who waits is told that it is lost."""
        self._lose(self._session, "this host ends")
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Session:
    """What is under way at one process.

    Attributes:
        id: random.
        reason: why it is over, "" while it is not.
    """

    def __init__(self) -> None:
        self.id = secrets.randbits(63)
        self.reason = ""
        self.pending: dict[int, asyncio.Queue[Element | None]] = {}
        self.out: deque[tuple[Asked | Dropped | More | Told, int]] = deque()
        self.calls = self.flying = self.called_ms = 0
        self.order: InOrder[Heard] = InOrder()

    def batch(self) -> tuple[Asked | Dropped | More | Told, ...]:
        """What goes along with the next call: as much as fits, one frame at least."""
        frames: list[Asked | Dropped | More | Told] = []
        size = 0
        while self.out and (not frames or size + self.out[0][1] <= BATCH_BYTES):
            frame, bytes_ = self.out.popleft()
            frames.append(frame)
            size += bytes_
        return tuple(frames)
