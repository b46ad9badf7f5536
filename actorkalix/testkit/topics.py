"""Topics in tests: publish as somebody outside does, and look at what was published."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar, overload

import msgspec

from actorkalix.codec.topics import DataReader
from actorkalix.engine.publishing import attributes, topic_message
from actorkalix.engine.topic import (
    TOPIC,
    Published,
    partition_id,
    publish_order,
    read_message,
    read_published,
)
from actorkalix.failures import error_of
from actorkalix.model.metadata import Metadata
from actorkalix.ports import Ask
from actorkalix_cluster.placement.sharding import shard_of
from actorkalix_cluster.shardhost.gaps import is_message
from actorkalix_storage.api import Store, StoredRecord

T = TypeVar("T")
PAGE = 256


class TestMessage(msgspec.Struct, frozen=True):
    """A message of a topic.

    Attributes:
        data: its bytes.
        metadata: its attributes as a CloudEvent (`ce-type` and so on), and all other pairs.
        partition, number: where it stands.
        time_ms: when it was published.
    """

    __test__ = False  # pytest: it is no test class

    data: bytes
    metadata: Metadata
    partition: int
    number: int
    time_ms: int

    @property
    def subject(self) -> str:
        """What it is about, or ""."""
        return self.metadata.get("ce-subject", "")

    @property
    def id(self) -> str:
        """By which the topic knows it again."""
        return self.metadata["ce-id"]

    def value(self, tp: type[T], /) -> T:
        """The data as a value of a type, as a handler's parameter gets it.

        Raises:
            InvalidPayload: they are not of the type; says where.
        """
        metadata = self.metadata
        read = DataReader(tp).read(self.data, metadata["content-type"], metadata["ce-type"])
        value: T = read
        return value


class TestTopic:
    """A topic of a `TestService`: everything that was published to it since the service began.

    What is read by `expect` was seen; `messages` shows all.

    Args:
        name: of the topic.
        ask: answers messages.
        store: gives the store, whichever it is.
        settled: lets everything end that can.
        partitions: of the topic.
    """

    __test__ = False  # pytest: it is no test class

    def __init__(
        self,
        name: str,
        ask: Ask,
        store: Callable[[], Store],
        settled: Callable[[], Awaitable[object]],
        partitions: int,
    ) -> None:
        self._name = name
        self._ask = ask
        self._store = store
        self._settled = settled
        self._partitions = partitions
        self._seen: set[tuple[int, int]] = set()
        self._published = 0

    async def publish(
        self,
        value: object,
        /,
        *,
        subject: str = "",
        id: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> Published:
        """Publish a value: bytes and text as they are, anything else as JSON.

        Args:
            value: what a handler may return.
            subject: messages of one subject are in order.
            id: by which the topic knows it again and drops it.
            metadata: attributes of the CloudEvent (`ce-type` and so on) and other pairs.

        Durability: it is stored when this returns.

        Raises:
            NotEncodable, InvalidIdempotencyKey, PayloadTooLarge: as it says.
        """
        given = Metadata(metadata or {})
        made = topic_message(value, given, subject=subject, source="test", id=id)
        self._published += 1
        order = publish_order(self._name, made, self._partitions, f"test-{self._published}")
        reply = await self._ask.ask(order)
        if reply.failure is not None:
            raise error_of(reply.failure)
        return read_published(reply.payload)

    async def messages(self) -> list[TestMessage]:
        """All messages in the order in which they were published, as far as time tells it."""
        await self._settled()
        found = [
            _message(stored, partition)
            for partition in range(self._partitions)
            for stored in self._log(partition)
        ]
        return sorted(found, key=lambda one: (one.time_ms, one.partition, one.number))

    @overload
    async def expect(self, /) -> TestMessage: ...
    @overload
    async def expect(self, tp: type[T], /) -> T: ...
    async def expect(self, tp: type[Any] | None = None, /) -> Any:
        """The next message that was not seen, or its value when a type is given.

        Raises:
            AssertionError: there is none.
            InvalidPayload: it is not of the type.
        """
        (found,) = await self.expect_many(1)
        return found if tp is None else found.value(tp)

    async def expect_many(self, count: int, /) -> list[TestMessage]:
        """The next so many messages that were not seen.

        Raises:
            AssertionError: there are fewer.
        """
        unseen = await self._unseen()
        if len(unseen) < count:
            raise AssertionError(
                f"topic {self._name!r}: expected {count} more, there are {len(unseen)}"
            )
        self._see(unseen[:count])
        return unseen[:count]

    async def expect_none(self) -> None:
        """There is no message that was not seen.

        Raises:
            AssertionError: there is one.
        """
        unseen = await self._unseen()
        if unseen:
            raise AssertionError(
                f"topic {self._name!r}: expected no more, there are {len(unseen)}, "
                f"first {unseen[0].data[:200]!r}"
            )

    async def clear(self) -> list[TestMessage]:
        """All messages that were not seen; they are now."""
        unseen = await self._unseen()
        self._see(unseen)
        return unseen

    async def _unseen(self) -> list[TestMessage]:
        return [
            one for one in await self.messages() if (one.partition, one.number) not in self._seen
        ]

    def _see(self, some: list[TestMessage]) -> None:
        self._seen.update((one.partition, one.number) for one in some)

    def _log(self, partition: int) -> list[StoredRecord]:
        store, entity = self._store(), partition_id(self._name, partition)
        shard = shard_of(TOPIC, entity, store.identity.shards)
        found: list[StoredRecord] = []
        after = 0
        while page := store.history(shard, TOPIC, entity, after=after, limit=PAGE):
            found += [one for one in page if is_message(one.record)]
            after = page[-1].version
        return found


def _message(stored: StoredRecord, partition: int) -> TestMessage:
    record = stored.record
    made = read_message(record.payload)
    metadata = attributes(record.entity, record.number, record.time_ms, made)
    return TestMessage(made.data, metadata, partition, record.number, record.time_ms)
