"""Topics of brokers outside: which there are, and how what is published reaches them.

Theory of operation. A message for such a topic is queued durably by whoever publishes it
(`engine.sending.outside_order`), in the queue of its subject, and its publisher goes on. For each
topic there is a consumer of these queues, like any other: it reads them from the log, hands batches
to whoever speaks to the broker, and its cursor moves when the broker has them. So a broker that is
away costs nobody anything but disk; what waits is the consumer's lag, and why is its last failure.

A message has an id: its publisher's, else one of where it is queued. It is sent again under that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple, Protocol, TypeAlias

import msgspec

from actorkalix.brokers import Broker, Embedded, Kafka, Nats, broker_of
from actorkalix.describe.streams import offers_of, streams_taken
from actorkalix.describe.topics import topics_of
from actorkalix.engine.sending import OUTSIDE, SENDING
from actorkalix.engine.topic import TopicMessage, partition_prefix, read_message
from actorkalix.model.service import Service
from actorkalix_cluster.shardhost.outgoing import derived_key, unpack_messages
from actorkalix_cluster.shardhost.progress import Entry
from actorkalix_storage.api import Record, RecordKind, ShardState

BATCH_MAX = 500
"""Messages that a broker is handed at once."""

Outside: TypeAlias = Mapping[str, Kafka | Nats]
"""Topics that are not within, by name."""


class Outgoing(NamedTuple):
    """A message on its way to a broker.

    Attributes:
        queue: messages of one are sent in order.
        time_ms: when it was published.
        message: it, with an id.
    """

    queue: str
    time_ms: int
    message: TopicMessage


class Writer(Protocol):
    """Speaks to a broker."""

    async def send(self, topic: str, messages: Sequence[Outgoing], /) -> None:
        """Send messages, those of a queue in order; return when the broker has all of them.

        Raises:
            Exception: it has not, or not all.
        """
        ...


FOR_EVER = Embedded(kept=timedelta(days=36_500), bytes_max=1 << 62)
"""How long messages of streams are kept where nothing is said."""


def brokers_of(service: Service) -> Mapping[str, Broker]:
    """Where topics are, those of streams too, which are within, whatever "*" says."""
    streams = [*offers_of(service.descriptor).values(), *streams_taken(service.descriptor)]
    kept = {
        one.within: FOR_EVER
        if one.kept is None
        else Embedded(kept=one.kept, bytes_max=FOR_EVER.bytes_max)
        for one in streams
    }
    return {**service.brokers, **kept}


def outside_topics(service: Service) -> Outside:
    """Topics of a service that are at a broker outside."""
    found: dict[str, Kafka | Nats] = {}
    brokers = brokers_of(service)
    for topic in topics_of(service.descriptor):
        broker = broker_of(brokers, topic)
        if not isinstance(broker, Embedded):
            found[topic] = broker
    return found


def queues_of(topic: str) -> str:
    """How the ids of a topic's queues begin."""
    return f"{OUTSIDE}{partition_prefix(topic)}"


def consumer_of(topic: str) -> str:
    """Id of the consumer that publishes to a topic outside."""
    return f"~to:{topic}"


class Publishing:
    """A `Subscriber`: hands what is queued for a topic to its broker.

    Args:
        topic: its name.
        writer: speaks to the broker.

    Attributes:
        topic: its name.
    """

    batch_max = BATCH_MAX
    blocks = False
    dead_letters = False
    from_now = False
    numbered: tuple[str, str] | None = None
    folds = ""

    def __init__(self, topic: str, writer: Writer) -> None:
        self.consumer = consumer_of(topic)
        self.topic = topic
        self._writer = writer
        self._queues = queues_of(topic)

    def wants(self, record: Record, /) -> bool:
        """What is queued for the topic."""
        return (
            record.kind is RecordKind.OUTBOX
            and record.component == SENDING
            and record.entity.startswith(self._queues)
        )

    def nothing_after(self, state: ShardState, /) -> int | None:
        """The store knows the newest record with messages."""
        return state.outbox

    async def handle(self, entries: Sequence[Entry], /) -> None:
        """Send what is queued.

        Raises:
            Exception: the broker has not all of it.
        """
        await self._writer.send(self.topic, [one for entry in entries for one in _sent(entry)])


def _sent(entry: Entry) -> list[Outgoing]:
    found: list[Outgoing] = []
    for number, message in enumerate(unpack_messages(entry.record.payload)):
        made = read_message(message.payload)
        if not made.id:
            key = derived_key(entry.shard, entry.position, SENDING, number)
            made = msgspec.structs.replace(made, id=key)
        found.append(Outgoing(entry.record.entity, entry.record.time_ms, made))
    return found
