"""Topics for operators: what there is, and publishing from outside through the admin port.

The controller knows which store is the home of a partition, and asks its host; the host asks the
partition as its handlers do. What cannot be asked is an error: a count is never smaller in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from random import getrandbits

import msgspec

from actorkalix.brokers import Broker, broker_of, place_said
from actorkalix.engine.publishing import topic_message
from actorkalix.engine.topic import (
    TOPIC,
    Published,
    Size,
    TopicMessage,
    partition_id,
    partition_of,
    place_of,
    publish_order,
    read_published,
    read_size,
    size_question,
)
from actorkalix.errors import UnknownRoute
from actorkalix.failures import error_of
from actorkalix.limits import Limits
from actorkalix.model.metadata import Metadata
from actorkalix.ports import (
    Ask,
    HostCalls,
    HostMethod,
    PublishedView,
    PublishOrder,
    TopicView,
)
from actorkalix_cluster.placement.sharding import shard_of
from actorkalix_cluster.shardhost.messages import Message
from actorkalix_storage.api import HomeTable

PUBLISH_METHOD = "topics.publish"
SIZES_METHOD = "topics.sizes"
SOURCE = "admin"  # `ce-source` of what is published here


class _Publishing(msgspec.Struct, frozen=True):
    """A message on its way to a host; `spread` as for `partition_of`."""

    topic: str
    message: TopicMessage
    spread: str


def topic_methods(ask: Ask, partitions: int) -> Mapping[str, HostMethod]:
    """What a host offers to `Topics`, by name.

    Args:
        ask: answers messages.
        partitions: of every topic.
    """

    async def answered(message: Message) -> bytes:
        reply = await ask.ask(message)
        if reply.failure is not None:
            raise error_of(reply.failure)
        return reply.payload

    async def publish(arguments: bytes) -> bytes:
        asked = msgspec.msgpack.decode(arguments, type=_Publishing)
        order = publish_order(asked.topic, asked.message, partitions, asked.spread)
        _, partition = place_of(order.entity)
        # What is for a broker outside is queued, and has no place yet.
        return await answered(order) or msgspec.msgpack.encode(Published(partition, 0))

    async def sizes(arguments: bytes) -> bytes:
        entities = msgspec.msgpack.decode(arguments, type=list[str])
        found = [read_size(await answered(size_question(*place_of(one)))) for one in entities]
        return msgspec.msgpack.encode(found)

    return {PUBLISH_METHOD: publish, SIZES_METHOD: sizes}


class Topics:
    """The topics of a running service; see `ports.TopicDesk`.

    Args:
        names: that the service's components name.
        limits: of the service.
        brokers: of the service.
        calls: ways to its hosts.
        homes: the home table as it is now.
    """

    def __init__(
        self,
        names: Sequence[str],
        limits: Limits,
        brokers: Mapping[str, Broker],
        calls: HostCalls,
        homes: Callable[[], HomeTable],
    ) -> None:
        self._names = names
        self._limits = limits
        self._partitions = limits.topic_partitions
        self._brokers = brokers
        self._calls = calls
        self._homes = homes

    async def listed(self) -> list[TopicView]:
        """Every topic with what there is in it.

        Raises:
            OwnerAway: the home of a partition is away.
        """
        entities = [
            partition_id(name, number) for name in self._names for number in range(self._partitions)
        ]
        at_home: dict[int, list[str]] = {}
        for entity in entities:
            at_home.setdefault(self._home(entity), []).append(entity)
        sizes: dict[str, Size] = {}
        for home, some in at_home.items():
            answer = await self._calls.call(home, SIZES_METHOD, msgspec.msgpack.encode(some))
            found = msgspec.msgpack.decode(answer, type=list[Size])
            sizes |= dict(zip(some, found, strict=True))
        return [
            self._shown(
                name, [sizes[partition_id(name, number)] for number in range(self._partitions)]
            )
            for name in self._names
        ]

    def _shown(self, name: str, sizes: Sequence[Size]) -> TopicView:
        broker = broker_of(self._brokers, name)
        return TopicView(
            name,
            [size.number - size.dropped for size in sizes],
            sum(size.bytes - size.dropped_bytes for size in sizes),
            sum(size.dropped for size in sizes),
            (broker.kept or self._limits.topic_kept) // timedelta(seconds=1),
            broker.bytes_max or self._limits.topic_bytes_max,
            place_said(broker),
        )

    async def publish(self, topic: str, order: PublishOrder) -> PublishedView:
        """Publish JSON data to a topic.

        Durability: it is on disk when this returns.

        Raises:
            UnknownRoute: no component of the service names the topic.
            InvalidIdempotencyKey: its id is none.
            PayloadTooLarge: it is too large.
            OwnerAway: the home of its partition is away.
        """
        if topic not in self._names:
            there = ", ".join(self._names) or "none"
            raise UnknownRoute(f"the service names no topic {topic!r}; there are {there}")
        made = topic_message(
            order.data,
            Metadata(order.metadata).set("ce-type", order.type),
            subject=order.subject,
            source=SOURCE,
            id=order.id,
        )
        spread = f"{getrandbits(64):016x}"
        home = self._home(partition_of(topic, made, spread.encode(), self._partitions))
        asked = msgspec.msgpack.encode(_Publishing(topic, made, spread))
        place = read_published(await self._calls.call(home, PUBLISH_METHOD, asked))
        return PublishedView(topic, place.partition, place.number)

    def _home(self, entity: str) -> int:
        homes = self._homes().homes
        return homes[shard_of(TOPIC, entity, len(homes))][0]
