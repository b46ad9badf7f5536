"""Drops the messages of topics whose time is over, or that are too many, in the background.

Theory of operation. Each host looks at the partitions that it is the home of, every
`Limits.topic_trim_every`. A partition says what there is; from where the last message was dropped
its records are read forwards, in pages, up to the first that is to stay: so a look costs what there
is to drop, and one page. Then the partition writes down what is dropped (`engine.topic`), and the
store reclaims it when that is worth its while, beside commits.

A message goes when it is older than the topic's `kept`, or when those after it fill the partition's
share of `bytes_max`; never one before an older one, and never more than there are.

Nobody is waited for: consumers behind it are told what they have missed (`shardhost.gaps`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial

import msgspec

from actorkalix.brokers import Broker, broker_of
from actorkalix.engine.topic import (
    TOPIC,
    Size,
    Trim,
    place_of,
    read_size,
    size_question,
    trim_order,
)
from actorkalix.errors import OwnerAway
from actorkalix.failures import error_of
from actorkalix.limits import Limits
from actorkalix.ports import Ask
from actorkalix_cluster.placement.sharding import shard_of
from actorkalix_cluster.shardhost.ahead import read_ahead
from actorkalix_cluster.shardhost.clock import Clock, Handle
from actorkalix_cluster.shardhost.committer import Committer, read
from actorkalix_cluster.shardhost.messages import Message
from actorkalix_cluster.shardhost.progress import Entry
from actorkalix_storage.api import RecordKind, Store

log = logging.getLogger("actorkalix.topics")

PAGE = 256
"""Records read at a time: some milliseconds of the reader."""

DROPPED_MAX = 10_000
"""Messages of one `trim`; more are dropped by more of them, with others' work in between."""


class Keeping(msgspec.Struct, frozen=True):
    """What a partition keeps.

    Attributes:
        since_ms: messages that were appended before go.
        bytes_max: of the messages that stay.
    """

    since_ms: int
    bytes_max: int


def keeping(topic: str, brokers: Mapping[str, Broker], limits: Limits, now_ms: int) -> Keeping:
    """What each partition of a topic keeps now.

    Args:
        topic: its name.
        brokers: of the service.
        limits: of the service.
        now_ms: milliseconds since 1970.
    """
    broker = broker_of(brokers, topic)
    kept = broker.kept or limits.topic_kept
    bytes_max = broker.bytes_max or limits.topic_bytes_max
    return Keeping(
        now_ms - kept // timedelta(milliseconds=1), max(1, bytes_max // limits.topic_partitions)
    )


def first_to_stay(
    size: Size, entries: Iterable[Entry], keep: Keeping, dropped: Trim
) -> tuple[Trim, bool]:
    """Go on dropping.

    Args:
        size: what there is in the partition.
        entries: the next of it, in order.
        keep: what is to stay.
        dropped: what is dropped already.

    Returns:
        What is dropped then, and whether one of the entries stays.
    """
    for entry in entries:
        record = entry.record
        if record.kind is not RecordKind.EVENT or record.number <= dropped.number:
            continue
        left = size.bytes - size.dropped_bytes - dropped.bytes
        if record.time_ms >= keep.since_ms and left <= keep.bytes_max:
            return dropped, True
        dropped = Trim(record.number, entry.position.offset, dropped.bytes + len(record.payload))
    return dropped, False


class Retention:
    """See the head of this file; one for each store.

    Args:
        topics: that the service names.
        brokers: of the service.
        limits: of the service.
        ask: answers messages to partitions.
        store: of the host.
        committer: reads it.
        clock: the host's.
    """

    def __init__(
        self,
        topics: Iterable[str],
        brokers: Mapping[str, Broker],
        limits: Limits,
        *,
        ask: Ask,
        store: Store,
        committer: Committer,
        clock: Clock,
    ) -> None:
        self._topics = tuple(topics)
        self._brokers = brokers
        self._limits = limits
        self._ask = ask
        self._store = store
        self._committer = committer
        self._clock = clock
        self._every_ms = limits.topic_trim_every // timedelta(milliseconds=1)
        self._next: Handle | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, owns: Callable[[int], bool]) -> None:
        """Look now and then, from now on.

        Args:
            owns: whether the host serves a shard.
        """
        self._next = self._clock.call_later(self._every_ms, lambda: self._begin(owns))

    def stop(self) -> None:
        """Begin nothing more; what is not dropped goes another time."""
        if self._next is not None:
            self._next.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self, owns: Callable[[int], bool]) -> None:
        self._task = asyncio.get_running_loop().create_task(self._look_round(owns))

    async def _look_round(self, owns: Callable[[int], bool]) -> None:
        try:
            await self.run(owns)
        except Exception:
            log.exception("messages of topics could not be dropped")
        self.start(owns)

    async def run(self, owns: Callable[[int], bool]) -> int:
        """Drop what is to go in these shards; return how many messages went.

        A partition that cannot be asked now is looked at the next time.
        """
        count = 0
        for topic in self._topics:
            for number in range(self._limits.topic_partitions):
                question = size_question(topic, number)
                shard = shard_of(TOPIC, question.entity, self._store.identity.shards)
                if not owns(shard):
                    continue
                try:
                    count += await self._trim(shard, question)
                except OwnerAway as away:
                    log.debug("%s is not looked at: %s", question.entity, away)
        return count

    async def _trim(self, shard: int, question: Message) -> int:
        entity, count = question.entity, 0
        topic, _ = place_of(entity)
        while True:
            size = read_size(await self._answered(question))
            if size.number == size.dropped:
                return count
            keep = keeping(topic, self._brokers, self._limits, self._clock.now_ms())
            trim = await self._look(shard, entity, size, keep)
            if trim.number == size.dropped:
                return count
            await self._answered(trim_order(entity, trim))
            some = trim.number - size.dropped
            log.info("%s: %d messages up to %d are dropped", entity, some, trim.number)
            count += some
            if some < DROPPED_MAX:
                return count

    async def _look(self, shard: int, entity: str, size: Size, keep: Keeping) -> Trim:
        """Read from the last message that was dropped to the first that stays."""
        dropped = Trim(size.dropped, size.dropped_offset, 0)
        after, newest = size.dropped_offset, self._store.applied(shard).offset
        stays = False
        while not stays and after < newest and dropped.number - size.dropped < DROPPED_MAX:
            page = partial(
                read_ahead, self._store, shard, (TOPIC, entity), after, newest, limit=PAGE
            )
            found = await read(self._committer, page)
            after = found.through
            dropped, stays = first_to_stay(size, found.entries, keep, dropped)
        return dropped

    async def _answered(self, message: Message) -> bytes:
        reply = await self._ask.ask(message)
        if reply.failure is not None:
            raise error_of(reply.failure)
        return reply.payload
