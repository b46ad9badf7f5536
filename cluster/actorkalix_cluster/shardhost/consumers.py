"""All consumers of a host: who is told what lands, and how their cursors are kept.

Theory of operation. Commits tell what landed (`landed`), in the order of the log. Most consumers
are near its end and get their entries from there, without a look at the store. For entries that
nobody wants nothing happens at all.

Cursors are written behind the work: those of a shard together, at most once in `cursor_every_ms`
unless there were many entries, as a message to the actor that keeps them (`cursors`). A message
that fails is sent again with what is true by then.

A host begins with its cursors (`start`), in the store, before anything is handled; and ends with
them (`drain`), so that a restart repeats nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol

import msgspec

from actorkalix_cluster.placement.sharding import pinned_id
from actorkalix_cluster.shardhost.clock import Handle
from actorkalix_cluster.shardhost.committer import read
from actorkalix_cluster.shardhost.consumer import Consumer
from actorkalix_cluster.shardhost.cursors import CURSORS, Cursor, Parked, move_order, unpack_cursors
from actorkalix_cluster.shardhost.dead_letters import letter_of, put_order
from actorkalix_cluster.shardhost.messages import Message, Reply
from actorkalix_cluster.shardhost.parts import Parts
from actorkalix_cluster.shardhost.progress import Entry
from actorkalix_cluster.shardhost.subscriber import Subscriber
from actorkalix_cluster.shardhost.ticket import Ticket
from actorkalix_storage.api import Append, Position, StoreError

log = logging.getLogger("actorkalix.consumer")

LAST_WRITES = 3  # one that was under way, what has moved since, and one that was refused
LOADS = 64  # cursors that are read in one job: some milliseconds of the reader


class Send(Protocol):
    """Sends a message to an actor of this host."""

    def __call__(self, message: Message, /) -> Ticket: ...


class Consumers:
    """See the head of this file.

    Args:
        parts: the host's.
        send: to an actor of this host.
        subscribers: one for each consumer.
    """

    def __init__(self, parts: Parts, send: Send, subscribers: Sequence[Subscriber]) -> None:
        self._store = parts.store
        self._committer = parts.committer
        self._clock = parts.clock
        self._shards = parts.shards
        self._send = send
        self._limits = parts.limits.consumers
        self._subscribers = subscribers
        self.consumers = [self._consumer(one) for one in subscribers]
        self._told: dict[int, int] = {}  # offset of the last news of a shard that all were told
        self._dirty: dict[int, None] = {}
        self._writing: dict[int, asyncio.Future[None]] = {}
        self._tick: Handle | None = None
        self._starting: asyncio.Task[None] | None = None
        self._stopped = False

    def _consumer(self, subscriber: Subscriber) -> Consumer:
        return Consumer(
            subscriber,
            store=self._store,
            committer=self._committer,
            clock=self._clock,
            limits=self._limits,
            moved=self._moved,
            put_away=partial(self._put_away, subscriber.consumer),
        )

    # ---- life ---------------------------------------------------------------------------------
    def start(self, shards: Iterable[int]) -> None:
        """Begin to read these shards, where the cursors stand."""
        if self.consumers:
            self._starting = asyncio.get_running_loop().create_task(self._start(list(shards)))
            self._starting.add_done_callback(_said)

    async def _start(self, shards: list[int]) -> None:
        for at in range(0, len(shards), LOADS):
            some = shards[at : at + LOADS]
            loaded = await read(self._committer, partial(self._load_some, some))
            for shard, cursors in zip(some, loaded, strict=True):
                if isinstance(cursors, Exception):
                    log.error("consumers cannot begin with shard %d: %s", shard, cursors)
                if isinstance(cursors, Exception) or self._shards.get(shard) is None:
                    continue
                for consumer in self.consumers:
                    consumer.attach(shard, cursors.get(consumer.id))

    def _load_some(self, shards: list[int]) -> list[Mapping[str, Cursor] | Exception]:
        """Cursors of shards, or why they cannot be read. On the reader's thread."""
        loaded: list[Mapping[str, Cursor] | Exception] = []
        for shard in shards:
            try:
                loaded.append(self._load(shard))
            except (StoreError, msgspec.DecodeError) as error:
                loaded.append(error)
        return loaded

    def _load(self, shard: int) -> Mapping[str, Cursor]:
        """Cursors of a shard; one that has seen another history is rewound to where it parts."""
        history = self._store.load(shard, CURSORS, pinned_id(shard))
        if history is None or not history.records:
            return {}
        found = unpack_cursors(history.records[-1].record.payload)
        return {name: self._rewound(shard, cursor) for name, cursor in found.items()}

    def _rewound(self, shard: int, cursor: Cursor) -> Cursor:
        parting = self._store.parting(shard, cursor.position)
        if parting == cursor.position:
            return cursor
        log.warning(
            "%s is rewound in shard %d from offset %d to %d: its log is another one from there on",
            *(cursor.consumer, shard, cursor.offset, parting.offset),
        )
        parked = tuple(one for one in cursor.parked if one.offset <= parting.offset)
        at = (parting.lineage, parting.epoch, parting.offset)
        return Cursor(cursor.consumer, *at, parked, cursor.begins)

    @property
    def busy(self) -> bool:
        """Entries are being read or handled, or cursors written."""
        starting = self._starting is not None and not self._starting.done()
        return starting or bool(self._writing) or any(one.busy for one in self.consumers)

    @property
    def caught_up(self) -> bool:
        """All that has landed is handled, and the cursors say so."""
        moving = self.busy or bool(self._dirty)
        return not moving and all(one.caught_up for one in self.consumers)

    def stop(self) -> None:
        """Begin nothing more; what is under way is left."""
        self._stopped = True
        for consumer in self.consumers:
            consumer.stop()
        if self._starting is not None:
            self._starting.cancel()
        if self._tick is not None:
            self._tick.cancel()
        for done in self._writing.values():
            done.cancel()

    async def drain(self, timeout_s: float) -> None:
        """Let what is under way end, begin nothing more, write all cursors."""
        if not self.consumers or self._stopped:
            return
        ending = asyncio.gather(*(consumer.drain() for consumer in self.consumers))
        late = self._clock.call_later(int(timeout_s * 1000), ending.cancel)
        await asyncio.wait([ending])  # its cancel is the timeout, not ours
        late.cancel()
        for _ in range(LAST_WRITES):
            self._write()
            if not self._writing:
                break
            await asyncio.wait(self._writing.values())
        self.stop()

    # ---- what operators see and do ------------------------------------------------------------
    def subscriber(self, consumer: str) -> Subscriber | None:
        """Who handles a consumer's entries."""
        return next((one for one in self._subscribers if one.consumer == consumer), None)

    def parked(self, consumer: str) -> list[tuple[int, Parked]]:
        """Subjects that wait for a consumer, each with its shard; none of one that is none."""
        lanes = [lane for one in self.consumers if one.id == consumer for lane in one.retries.lanes]
        return [(lane.progress.shard, lane.parked) for lane in lanes if lane.parked is not None]

    def retry(self, consumer: str, entity: str = "") -> int:
        """Have a consumer try now what is parked, see `Consumer.retry`; how many subjects."""
        return sum(one.retry(entity) for one in self.consumers if one.id == consumer)

    async def _put_away(self, consumer: str, entry: Entry, parked: Parked) -> str:
        """Make a dead letter of an entry; why that failed, or nothing."""
        letter = letter_of(consumer, entry, parked, self._clock.now_ms())
        reply = await self._send(put_order(letter)).wait()
        if reply.failure is not None:
            return reply.failure.message
        log.error(
            "%s gives up %s %r after attempt %d, dead letter %s: %s",
            *(consumer, *entry.subject, parked.attempts, letter.id, parked.failure),
        )
        return ""

    # ---- what lands ---------------------------------------------------------------------------
    def landed(self, append: Append, position: Position) -> None:
        """An append is durable; its last record is at this position."""
        shard = append.shard
        news = position.offset - self._told.get(shard, 0) > self._limits.skipped_max
        if news:
            self._told[shard] = position.offset
        for consumer in self.consumers:
            wanted = [
                _entry(append, position, at)
                for at, record in enumerate(append.records)
                if consumer.wants(record)
            ]
            if wanted or news:
                consumer.landed(shard, wanted, position)

    def lost(self, shard: int) -> None:
        """The shard is not ours any more."""
        self._dirty.pop(shard, None)
        for consumer in self.consumers:
            consumer.detach(shard)

    # ---- cursors ------------------------------------------------------------------------------
    def passed(self, shard: int) -> Mapping[str, Position]:
        """Up to where each consumer needs nothing of a shard's log any more."""
        newest = self._store.applied(shard)
        nothing = Position(newest.lineage, 0, 0)
        reading = {one.id: one.progress.get(shard) for one in self.consumers}
        return {
            name: nothing if progress is None else progress.passed(newest)
            for name, progress in reading.items()
        }

    def _moved(self, shard: int) -> None:
        """Something was handled in a shard."""
        self._dirty[shard] = None
        if self._tick is None and not self._stopped:
            self._tick = self._clock.call_later(self._limits.cursor_every_ms, self._write)

    def _write(self) -> None:
        """Write all cursors that have moved."""
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        dirty, self._dirty = self._dirty, {}
        for shard in dirty:
            if shard in self._writing:
                self._moved(shard)
                continue
            cursors = [
                (consumer, progress.cursor())
                for consumer in self.consumers
                if (progress := consumer.progress.get(shard)) is not None and progress.moved
            ]
            if cursors and self._shards.get(shard) is not None:
                self._write_one(shard, cursors)

    def _write_one(self, shard: int, cursors: list[tuple[Consumer, Cursor]]) -> None:
        order = move_order(pinned_id(shard), [cursor for _, cursor in cursors])
        self._writing[shard] = asyncio.get_running_loop().create_future()
        ticket = self._send(order)
        if ticket.reply is None:
            ticket.then(lambda reply: self._wrote(shard, cursors, reply))
        else:
            self._wrote(shard, cursors, ticket.reply)

    def _wrote(self, shard: int, cursors: list[tuple[Consumer, Cursor]], reply: Reply) -> None:
        done = self._writing.pop(shard)
        if not done.cancelled():
            done.set_result(None)
        for consumer, cursor in cursors:
            progress = consumer.progress.get(shard)
            if progress is None:
                continue
            if reply.failure is None:
                progress.wrote(cursor)
            else:
                progress.moved += 1
        if reply.failure is not None and not self._stopped:
            log.warning("cursors of shard %d are not written: %s", shard, reply.failure.message)
            self._moved(shard)


def _entry(append: Append, last: Position, at: int) -> Entry:
    """The entry of one of an append's records."""
    record = append.records[at]
    offset = last.offset - len(append.records) + 1 + at
    place = Position(last.lineage, last.epoch, offset)
    return Entry(append.shard, place, append.version + 1 + at, record)


def _said(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("consumers cannot begin", exc_info=error)
