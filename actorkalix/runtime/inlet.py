"""The side of a service that takes a stream of another one: messages come into a topic within.

Theory of operation. The host of the service's first store asks the other service for what follows,
lane by lane, and has it taken by the partition of each lane (`engine.taking`): in one commit with
the mark that says up to where the lane was taken. There is no other cursor, so whatever ends in
between, here or there, comes again and is known. From the partition on a message is that of a topic
like any other, for subscriptions and views, with their cursors, parking and lag.

    marks unknown --asked of the partitions--> reading --taken--> reading, at once
          ^                                       |  nothing new: a little later, up to IDLE_S_MAX
          +------- anything went wrong -----------+  again after AGAIN_S to AGAIN_S_MAX

What goes wrong is shown (`actorkalix consumers`, as `~from:<service>/<stream>`) and told in the
log: the other service is not there, has no such stream, does not let us. Nothing is lost meanwhile,
but for what is dropped there because its time is over: that is told by its numbers. And a log there
that does not lead to our mark is named (AK4013): messages were taken that are none any more. What
was made of them cannot be taken back; reading goes on where the two histories part.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from actorkalix.codec.topics import REFUSED
from actorkalix.consumer_views import ConsumerView
from actorkalix.engine.taking import Mark, Take, TakenMessage, read_mark, take_order
from actorkalix.engine.topic import (
    TopicMessage,
    partition_id,
    read_message,
    read_size,
    size_question,
)
from actorkalix.errors import StreamSetBack
from actorkalix.failures import error_of
from actorkalix.limits import Limits
from actorkalix.model.sources import Source
from actorkalix.ports import Ask
from actorkalix.runtime.broker_state import BrokerState
from actorkalix.runtime.stream_words import (
    READ,
    VERSION,
    Answer,
    Asked,
    Lane,
    Offered,
    Services,
    Wanted,
)
from actorkalix_cluster.shardhost.feeding import BEGINNING, Place
from actorkalix_cluster.shardhost.messages import Message

log = logging.getLogger("actorkalix.streams")

IDLE_S, IDLE_S_MAX = 0.02, 0.25
AGAIN_S, AGAIN_S_MAX = 0.1, 5.0

TAKE_MESSAGES, TAKE_BYTES = 128, 262_144
"""Of one commit in a partition: what others wait for behind it takes a few milliseconds."""


class Superseded(Exception):
    """Somebody else takes the stream as well: look where it stands."""


class Inlet:
    """See the head of this file.

    Args:
        service: name of the service that takes the stream.
        source: the stream.
        services: ways to the one that offers it.
        ask: answers messages to partitions, on any host.
        limits: of the service that takes it.
        state: how it goes.
        sleep: waits, in seconds.
    """

    def __init__(
        self,
        service: str,
        source: Source[Any],
        services: Services,
        ask: Ask,
        limits: Limits,
        state: BrokerState,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._service = service
        self._source = source
        self._services = services
        self._ask = ask
        self._partitions = limits.topic_partitions
        self._bytes_max = limits.event_bytes_max
        self._state = state
        self._sleep = sleep
        self._lanes = 0
        self._marks: dict[int, Mark] | None = None
        self._begins: dict[int, Place] = {}
        self._behind: dict[int, int] = {}
        self._parted: set[int] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="stream")

    async def aclose(self) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def view(self) -> ConsumerView:
        """As operators see it."""
        return self._state.view()

    async def _run(self) -> None:
        again_s, idle_s = AGAIN_S, IDLE_S
        while True:
            try:
                count = await self.round()
            except Exception as problem:  # whatever it is, reading is tried again
                log.debug("a stream is not read", exc_info=True)
                self._state.failed(said(problem))
                self._marks = None
                await self._sleep(again_s)
                again_s = min(2 * again_s, AGAIN_S_MAX)
                continue
            again_s = AGAIN_S
            idle_s = IDLE_S if count else min(2 * idle_s, IDLE_S_MAX)
            if not count:
                await self._sleep(idle_s)

    async def round(self) -> int:
        """Ask once, and take what comes; return how many messages that were.

        Durability: they are on disk.

        Raises:
            Exception: not all of it went well.
        """
        if self._marks is None:
            self._marks = await self._standing()
            self._begins = {lane: _place(mark) for lane, mark in self._marks.items()}
            self._lanes = (await self._read(())).lanes
            self._state.parts = self._lanes
        wanted = tuple(
            Wanted(lane, self._begins.get(lane, BEGINNING)) for lane in range(self._lanes)
        )
        answer = await self._read(wanted)
        taking = [asyncio.ensure_future(self._take_lane(lane)) for lane in answer.read]
        done = await asyncio.gather(*taking, return_exceptions=True)
        count = sum(one for one in done if isinstance(one, int))
        self._state.behind = sum(self._behind.values())
        for problem in done:
            if isinstance(problem, BaseException):
                raise problem
        if answer.away:
            self._state.handled += count
            self._state.failed(answer.away)
        else:
            self._state.worked(count)
        return count

    # ---- asking --------------------------------------------------------------------------------
    async def _standing(self) -> dict[int, Mark]:
        """The marks that the partitions have, by lane."""
        found: dict[int, Mark] = {}
        for number in range(self._partitions):
            reply = await self._asked(size_question(self._source.within, number))
            found.update((mark.lane, mark) for mark in read_size(reply).marks)
        return found

    async def _read(self, wanted: tuple[Wanted, ...]) -> Answer:
        asked = Asked(VERSION, self._service, self._source.name, wanted)
        payload = msgspec.msgpack.encode(asked)
        answer = await self._services.call(self._source.service, READ, payload)
        return msgspec.msgpack.decode(answer, type=Answer)

    async def _asked(self, message: Message) -> bytes:
        reply = await self._ask.ask(message)
        if reply.failure is not None:
            raise error_of(reply.failure)
        return reply.payload

    # ---- taking --------------------------------------------------------------------------------
    async def _take_lane(self, lane: Lane) -> int:
        assert self._marks is not None, "they were asked for"
        mark = self._marks.get(lane.lane)
        if lane.parted:
            self._part(lane, mark)
            return 0
        if lane.messages:
            self._look_for_gap(lane, mark)
        for some in batches(lane.messages):
            mark = await self._take(lane.lane, mark, some)
        self._begins[lane.lane] = lane.through
        if lane.newest:
            self._behind[lane.lane] = max(0, lane.newest - (mark.number if mark else 0))
        return len(lane.messages)

    async def _take(self, lane: int, before: Mark | None, some: Sequence[Offered]) -> Mark:
        assert self._marks is not None, "they were asked for"
        messages = tuple(self._made(lane, one) for one in some)
        last = messages[-1].mark
        entity = partition_id(self._source.within, lane % self._partitions)
        reply = await self._asked(take_order(entity, Take(lane, before, messages)))
        if read_mark(reply) != last:
            raise Superseded(f"lane {lane} stands elsewhere")
        self._marks[lane] = last
        self._parted.discard(lane)
        return last

    def _made(self, lane: int, one: Offered) -> TakenMessage:
        mark = Mark(lane, one.number, *one.place)
        where = f"message {one.number} of lane {lane} of {self._source.label}"
        try:
            made = read_message(one.payload)
        except msgspec.DecodeError as problem:
            made = _refused(where, f"it is none: {problem}")
        if len(one.payload) + 128 > self._bytes_max:  # with the mark and the time
            size = len(one.payload)
            made = _refused(where, f"{size} bytes, event_bytes_max is {self._bytes_max} here", made)
        timed = made.metadata
        if not any(name == "ce-time" for name, _ in timed):
            at = datetime.fromtimestamp(one.time_ms / 1000, UTC).isoformat(timespec="milliseconds")
            timed = (*timed, ("ce-time", at.replace("+00:00", "Z")))
        return TakenMessage(
            *(made.type, made.subject, made.id, made.source, made.content_type, timed, made.data),
            mark,
        )

    # ---- what should not be --------------------------------------------------------------------
    def _part(self, lane: Lane, mark: Mark | None) -> None:
        """The log is another one behind `through`."""
        self._begins[lane.lane] = lane.through
        if mark is None or lane.through[2] >= mark.offset:
            return  # only what was looked at beyond it is
        self._parted.add(lane.lane)
        place = f"{lane.through[1]}-{lane.through[2]}"
        error = StreamSetBack(
            f"lane {lane.lane}: message {mark.number} was taken, at {mark.epoch}-{mark.offset}; "
            f"the log there is another one behind {place}, where reading goes on"
        )
        self._state.missed(said(error))

    def _look_for_gap(self, lane: Lane, mark: Mark | None) -> None:
        """What was dropped there before it was read."""
        first = lane.messages[0].number
        if mark is None or lane.lane in self._parted or first <= mark.number + 1:
            return
        self._state.missed(
            f"messages {mark.number + 1} to {first - 1} of lane {lane.lane} were dropped there "
            "before they were taken"
        )


def batches(messages: Iterable[Offered]) -> Iterator[list[Offered]]:
    """Messages in commits of a partition, in order."""
    some: list[Offered] = []
    size = 0
    for one in messages:
        if some and (len(some) >= TAKE_MESSAGES or size + len(one.payload) > TAKE_BYTES):
            yield some
            some, size = [], 0
        some.append(one)
        size += len(one.payload)
    if some:
        yield some


def said(problem: Exception) -> str:
    """A failure in words, with its number where it has one."""
    number = getattr(problem, "number", "")
    return f"{number} {problem}" if number else f"{type(problem).__name__}: {problem}"


def _place(mark: Mark) -> Place:
    return (mark.lineage, mark.epoch, mark.offset)


def _refused(where: str, why: str, made: TopicMessage | None = None) -> TopicMessage:
    """What stands in the place of a message that cannot be taken: no handler can read it."""
    subject = "" if made is None else made.subject[:200]
    return TopicMessage("", subject, "", "", REFUSED, (), f"{where}: {why}".encode())
