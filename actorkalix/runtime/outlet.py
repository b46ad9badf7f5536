"""The side of a service that offers streams: its hosts read them, its controller answers for all.

Theory of operation. What is published to a stream lies in a topic of its own, in partitions like
those of any topic. Who takes it keeps its own places and asks for what follows; nothing is kept of
it here, so it costs nothing who takes it, how many there are, and how long they are away.

A place is lineage, epoch and offset in the log of the lane's shard. A log that does not lead to it
is another one: this service was restored, or began anew. Then where the two part is the answer, and
whoever asked decides what that means (`inlet`).
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Mapping

import msgspec

from actorkalix.describe.streams import may_read, offers_of
from actorkalix.engine.topic import TOPIC, partition_id
from actorkalix.errors import ActorkalixError, OwnerAway, StreamNotOffered, UnknownStream
from actorkalix.model.service import Service
from actorkalix.ports import HostCalls, HostMethod
from actorkalix.runtime.host_methods import answer_of, host_method
from actorkalix.runtime.stream_words import (
    READ,
    VERSION,
    Answer,
    Asked,
    Lane,
    Offered,
    Reading,
    Wanted,
)
from actorkalix_cluster.placement.sharding import shard_of
from actorkalix_cluster.shardhost.committer import Committer, read
from actorkalix_cluster.shardhost.feed_reading import next_page
from actorkalix_cluster.shardhost.feeding import place_of
from actorkalix_cluster.shardhost.limits import FeedLimits
from actorkalix_storage.api import HomeTable, Position, Record, RecordKind, Store

ANSWER_S_MAX = 2.0
"""Until a host must have answered: the lanes of the others are not to wait long for it."""

ANSWER_BYTES_MAX = 1_048_576
"""Of the messages of an answer, or one of them: 20 times what Ray sends inline."""

LIMITS = FeedLimits(page_bytes_max=262_144)


class _Lane:
    """A `FeedSource`: the messages of one partition."""

    def __init__(self, entity: str) -> None:
        self.feed = self._entity = entity
        self.components: frozenset[str] = frozenset((TOPIC,))
        self.folds: Mapping[str, frozenset[str]] = {}
        self.whole: frozenset[str] = frozenset()

    def wants(self, record: Record, /) -> bool:
        """Messages that were not dropped."""
        is_message = record.kind is RecordKind.EVENT and bool(record.payload)
        return is_message and record.entity == self._entity


def outlet_methods(
    store: Store, committer: Committer, owns: Callable[[int], bool]
) -> Mapping[str, HostMethod]:
    """What a host offers to `Outlet`, by name.

    Args:
        store: of the host.
        committer: reads it.
        owns: whether the host serves a shard.
    """

    async def answer(asked: Reading) -> list[Lane]:
        found: list[Lane] = []
        size = 0
        for wanted in asked.wanted:
            shard = shard_of(TOPIC, partition_id(asked.topic, wanted.lane), store.identity.shards)
            if owns(shard) and size < ANSWER_BYTES_MAX:
                lane = await _read(store, committer, asked.topic, wanted, shard)
                size += sum(len(one.payload) for one in lane.messages)
                found.append(lane)
        return found

    return {READ: host_method(Reading, answer)}


async def _read(store: Store, committer: Committer, topic: str, wanted: Wanted, shard: int) -> Lane:
    entity, begin = partition_id(topic, wanted.lane), Position(*wanted.begin)
    if begin == store.applied(shard):
        return Lane(wanted.lane, False, wanted.begin, 0)

    def look() -> Lane:
        page = next_page(store, _Lane(entity), shard, begin, True, LIMITS)
        if page.parted:
            return Lane(wanted.lane, True, place_of(store.parting(shard, begin)), 0)
        head = store.head(shard, TOPIC, entity)
        return Lane(
            *(wanted.lane, False, place_of(page.through), head.number if head else 0),
            tuple(
                Offered(fed.number, place_of(position), fed.time_ms, fed.payload)
                for fed, position, _ in page.entries
            ),
        )

    return await read(committer, look)


class Outlet:
    """Answers other services for all hosts of this one.

    Args:
        service: that offers the streams.
        calls: ways to its hosts.
        homes: the home table as it is now.
    """

    def __init__(self, service: Service, calls: HostCalls, homes: Callable[[], HomeTable]) -> None:
        self._name = service.name
        self._offers = offers_of(service.descriptor)
        self._lanes = service.limits.topic_partitions
        self._calls = calls
        self._homes = homes

    async def answer(self, arguments: bytes) -> bytes:
        """An `Answer` to an `Asked`.

        Raises:
            UnknownStream: there is no such stream.
            StreamNotOffered: it is not for the service that asks.
        """
        asked = msgspec.msgpack.decode(arguments, type=Asked)
        topic = self._topic(asked)
        by_store: dict[int, list[Wanted]] = {}
        homes = self._homes().homes
        for wanted in asked.wanted:
            entity = partition_id(topic, wanted.lane)
            home = homes[shard_of(TOPIC, entity, len(homes))][0]
            by_store.setdefault(home, []).append(wanted)
        read = await asyncio.gather(
            *(self._of_store(store, topic, some) for store, some in by_store.items())
        )
        lanes = tuple(lane for part, _ in read for lane in part)
        away = "; ".join(why for _, why in read if why)
        return msgspec.msgpack.encode(Answer(VERSION, self._lanes, lanes, away))

    def _topic(self, asked: Asked) -> str:
        offer = self._offers.get(asked.stream)
        if offer is None:
            there = ", ".join(sorted(self._offers)) or "none"
            near = difflib.get_close_matches(asked.stream, self._offers, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise UnknownStream(
                f"{self._name} offers no stream {asked.stream!r}; {hint}there is {there}"
            )
        if not may_read(offer, asked.service):
            raise StreamNotOffered(
                f"{self._name} offers the stream {asked.stream!r} to "
                f"{', '.join(offer.allow)}, not to {asked.service}"
            )
        return offer.within

    async def _of_store(
        self, store: int, topic: str, wanted: list[Wanted]
    ) -> tuple[list[Lane], str]:
        asked = Reading(topic, tuple(wanted))
        try:
            lanes = await answer_of(self._calls, store, READ, asked, list[Lane], ANSWER_S_MAX)
        except OwnerAway as away:
            return [], f"{self._name}: {away}"
        except ActorkalixError as error:
            return [], f"{self._name}, store {store}: {error.number} {error}"
        return lanes, ""
