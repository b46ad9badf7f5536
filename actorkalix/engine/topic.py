"""Topics of the broker within: partitions that append messages to the logs of their shards. Pure.

Theory of operation. A partition is an actor of its own: its entity id is "<topic>/<number>", and
each message is one `EVENT` record of it. Consumers read those records as they read the changes of
entities, so nothing is copied and the order within a partition is that of the log.

    message                  answer
    publish, a COMMAND       `Published`: where the message stands
    size, a QUERY            how many messages there are

A message with an id of its own, its idempotency key, is appended once: who publishes it again is
told where it stands, whatever the second one says (architecture 11). Ids count for
`idempotency_kept`, as all keys do.

A partition has no state but its number of messages, which stands in the head of its log; so a
snapshot holds nothing, and is there for one thing: a load reads back to the newest one and no
further. One is due every `SNAPSHOT_MESSAGES`, or every `SNAPSHOT_BYTES` of them.

Messages of one subject are in one partition, so they are in order. Messages without a subject are
spread. A service keeps its number of partitions (`Limits.topic_partitions`): with another number a
subject goes on in another partition, and its order with what was there before is lost.
"""

from __future__ import annotations

import msgspec

from actorkalix.errors import InvalidPayload, PayloadTooLarge, UnknownRoute
from actorkalix.limits import Limits
from actorkalix_cluster.shardhost.behavior import Step
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind, Reply
from actorkalix_storage.api import History, Record, RecordKind, Snapshot

from .replies import digest, refusal

TOPIC = "~topic"
PUBLISH, SIZE = "publish", "size"
SNAPSHOT_MESSAGES = 128
SNAPSHOT_BYTES = 1_048_576


class TopicMessage(msgspec.Struct, frozen=True, array_like=True):
    """A message as it is stored, with what a CloudEvent needs beside its time and position.

    Attributes:
        type: of the data: the tag of its class.
        subject: what it is about, or "".
        id: that its publisher gave it, or "": it has one by its position.
        source: who published it.
        content_type: of the data.
        metadata: further pairs, in order.
        data: the bytes.
    """

    type: str
    subject: str
    id: str
    source: str
    content_type: str
    metadata: tuple[tuple[str, str], ...]
    data: bytes


class Published(msgspec.Struct, frozen=True, array_like=True):
    """Where a message stands.

    Attributes:
        partition: of the topic, 0 and up.
        number: in the partition, 1 and up, without gaps.
    """

    partition: int
    number: int


class Partition(msgspec.Struct, frozen=True):
    """A partition between two messages.

    Attributes:
        entity: its id.
        number: of its messages.
        version, incarnation: as every actor has them.
        folded: `number` at the newest snapshot.
        unfolded_bytes: of the messages since.
    """

    entity: str
    number: int = 0
    version: int = 0
    incarnation: int = 0
    folded: int = 0
    unfolded_bytes: int = 0


class TopicBehavior:
    """`Behavior[Partition]` of the component `TOPIC`."""

    def __init__(self, limits: Limits) -> None:
        self._bytes_max = limits.event_bytes_max

    def empty(self, entity: str) -> Partition:
        """A partition without messages."""
        return Partition(entity)

    def restore(self, entity: str, history: History) -> Partition:
        """What the head says, and how much a load had to read."""
        head, snapshot = history.head, history.snapshot
        return Partition(
            entity,
            head.number,
            head.version,
            head.incarnation,
            snapshot.number if snapshot else 0,
            sum(len(stored.record.payload) for stored in history.records),
        )

    def version(self, instance: Partition) -> int:
        """Number of its records, which are its messages."""
        return instance.version

    def snapshot(self, instance: Partition) -> Snapshot:
        """A place in the log, and nothing else."""
        return Snapshot(instance.incarnation, instance.number, 0, _ENCODER.encode(instance.number))

    def key_hash(self, message: Message) -> bytes:
        """16 bytes for the id of what is published."""
        return digest(message.key.encode())

    def remembered(self, message: Message, reply: bytes) -> Reply:
        """It is there already, and stands where it stands."""
        return Reply(reply, replayed=True)

    def step(self, instance: Partition, message: Message, now_ms: int) -> Step[Partition]:
        """Handle one message; see the head of this file.

        Raises:
            BehaviorError: what is published is no message or too large; an unknown method.
        """
        if message.kind in (MessageKind.EXPIRE, MessageKind.CLEAN):
            return Step(instance, (), Reply())
        if message.method == SIZE:
            return Step(instance, (), Reply(_ENCODER.encode(instance.number)))
        if message.method != PUBLISH:
            raise refusal(UnknownRoute(f"{TOPIC} has no handler {message.method!r}"))
        return self._publish(instance, message, now_ms)

    def _publish(self, instance: Partition, message: Message, now_ms: int) -> Step[Partition]:
        size = len(message.payload)
        if size > self._bytes_max:
            error = f"a message of {size} bytes, event_bytes_max is {self._bytes_max}"
            raise refusal(PayloadTooLarge(error))
        try:
            read_message(message.payload)
        except msgspec.DecodeError as problem:
            raise refusal(InvalidPayload(f"no message of a topic: {problem}")) from problem
        number, unfolded = instance.number + 1, instance.unfolded_bytes + size
        due = number - instance.folded >= SNAPSHOT_MESSAGES or unfolded >= SNAPSHOT_BYTES
        changed = Partition(
            instance.entity,
            number,
            instance.version + 1,
            instance.incarnation,
            number if due else instance.folded,
            0 if due else unfolded,
        )
        reply = _ENCODER.encode(Published(place_of(instance.entity)[1], number))
        record = Record(
            *(RecordKind.EVENT, TOPIC, instance.entity, number, now_ms, message.payload),
            key=self.key_hash(message) if message.key else b"",
            reply=reply if message.key else b"",
        )
        return Step(changed, (record,), Reply(reply), due)


# ---- names ---------------------------------------------------------------------------------------
def partition_prefix(topic: str) -> str:
    """How the entity ids of a topic's partitions begin, and no others."""
    return f"{topic}/"


def partition_id(topic: str, number: int) -> str:
    """Entity id of a topic's partition."""
    return f"{partition_prefix(topic)}{number}"


def place_of(entity: str) -> tuple[str, int]:
    """Topic and number of a partition."""
    topic, _, number = entity.rpartition("/")
    return topic, int(number) if number.isdecimal() else 0


def partition_of(topic: str, made: TopicMessage, spread: bytes, partitions: int) -> str:
    """Entity id of the partition that a message belongs to.

    Args:
        topic: its name.
        made: the message.
        spread: where it has neither subject nor id: bytes that differ from message to message.
        partitions: of the topic, 1 and up.
    """
    by = made.subject.encode() or made.id.encode() or digest(spread, made.data)
    return partition_id(topic, int.from_bytes(digest(by)[:8], "big") % partitions)


# ---- messages ------------------------------------------------------------------------------------
def publish_order(
    topic: str, made: TopicMessage, partitions: int, correlation_id: str = ""
) -> Message:
    """The message that publishes a message: to its partition, under its id.

    Args:
        topic: its name.
        made: the message.
        partitions: of the topic, 1 and up.
        correlation_id: of what led to it.
    """
    entity = partition_of(topic, made, correlation_id.encode(), partitions)
    payload = _ENCODER.encode(made)
    return Message(
        *(MessageKind.COMMAND, TOPIC, entity, PUBLISH, payload),
        *(Encoding.MSGPACK, Encoding.MSGPACK),
        key=made.id,
        correlation_id=correlation_id,
    )


def size_question(topic: str, number: int) -> Message:
    """The message that asks a partition how many messages it has."""
    entity = partition_id(topic, number)
    return Message(
        *(MessageKind.QUERY, TOPIC, entity, SIZE, b"", Encoding.MSGPACK, Encoding.MSGPACK)
    )


def read_message(payload: bytes) -> TopicMessage:
    """The message of a record.

    Raises:
        msgspec.DecodeError: it is no message.
    """
    return _MESSAGE.decode(payload)


def read_published(payload: bytes) -> Published:
    """The reply to `publish`."""
    return _PUBLISHED.decode(payload)


def read_size(payload: bytes) -> int:
    """The reply to `size`."""
    return msgspec.msgpack.decode(payload, type=int)


_ENCODER = msgspec.msgpack.Encoder()
_MESSAGE = msgspec.msgpack.Decoder(TopicMessage)
_PUBLISHED = msgspec.msgpack.Decoder(Published)
