"""Topics of the broker within: partitions that append messages to the logs of their shards. Pure.

Theory of operation. A partition is an actor of its own: its entity id is "<topic>/<number>", and
each message is one `EVENT` record of it. Consumers read those records as they read the changes of
entities, so nothing is copied and the order within a partition is that of the log.

    message                  answer
    publish, a COMMAND       `Published`: where the message stands
    publish-all, a COMMAND   the same of the first of several messages, which stand in a row
    size, a QUERY            `Size`: how many messages there are
    take, a COMMAND          where a lane of a stream stands then: its messages are appended
    trim, a COMMAND          nothing: messages up to one are dropped, a `TRIMMED` record

A message with an id of its own, its idempotency key, is appended once: who publishes it again is
told where it stands, whatever the second one says (architecture 11). Ids count for
`idempotency_kept`, as all keys do, also when its message was dropped before.

Messages of another service's stream are taken (`taking`): each names its place there, and that of
the newest one stands in the partition, so a message is taken once, whenever it comes again.

A partition has no state but its number of messages, which stands in the head of its log, and how
much of them was dropped, which every `TRIMMED` record says anew. So a snapshot holds little, and is
there for one thing: a load reads back to the newest one and no further. One is due every
`SNAPSHOT_MESSAGES`, or every `SNAPSHOT_BYTES` of them.

What is dropped is for its readers to notice (`shardhost.gaps`); it may be read for some time yet,
for the store reclaims it in the background. Who drops, and what, is `runtime.retention`.

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
from actorkalix_storage.api import (
    History,
    Record,
    RecordKind,
    Snapshot,
    trim_of,
    trim_payload,
)

from .replies import digest, refusal
from .taking import TAKE, Mark, mark_of, marks_with, read_take, take_reply
from .topic_message import TOPIC as TOPIC
from .topic_message import TopicMessage as TopicMessage
from .topic_parts import PUBLISH_ALL, Part, keys_of, parts_of, records_of

PUBLISH, SIZE, TRIM = "publish", "size", "trim"
SNAPSHOT_MESSAGES = 128
SNAPSHOT_BYTES = 1_048_576


class Published(msgspec.Struct, frozen=True, array_like=True):
    """Where a message stands.

    Attributes:
        partition: of the topic, 0 and up.
        number: in the partition, 1 and up, without gaps.
    """

    partition: int
    number: int


class Size(msgspec.Struct, frozen=True, array_like=True):
    """What there is in a partition.

    Attributes:
        number: of the newest message, 0 when there never was one.
        bytes: of all messages that there ever were.
        dropped: number of the newest message that was dropped, with all before it; 0 for none.
        dropped_bytes: of these.
        dropped_offset: where that one stood in its shard's log.
        marks: up to where lanes of a stream were taken.
    """

    number: int = 0
    bytes: int = 0
    dropped: int = 0
    dropped_bytes: int = 0
    dropped_offset: int = 0
    marks: tuple[Mark, ...] = ()


class Trim(msgspec.Struct, frozen=True, array_like=True):
    """Payload of `trim`: the newest message to be dropped, and how much goes.

    Attributes:
        number: of the message.
        offset: where it stands in its shard's log.
        bytes: of all messages that were not dropped before, up to it.
    """

    number: int
    offset: int
    bytes: int


class Partition(msgspec.Struct, frozen=True):
    """A partition between two messages.

    Attributes:
        entity: its id.
        size: what there is.
        version, incarnation: as every actor has them.
        folded: number of the newest message at the newest snapshot.
        unfolded_bytes: of the messages since.
    """

    entity: str
    size: Size = Size()
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
        """What snapshot and head say, and how much a load had to read.

        Where the beginning is gone there is a `TRIMMED` record behind it, which knows everything.
        """
        head, snapshot = history.head, history.snapshot
        size = _read_folded(snapshot.payload) if snapshot else Size()
        unfolded = 0
        for stored in history.records:
            record = stored.record
            if record.kind is RecordKind.TRIMMED:
                size = _SIZE.decode(trim_of(record.payload)[2])
            else:
                unfolded += len(record.payload)
                total = size.bytes + len(record.payload)
                marks = marks_with(size.marks, mark_of(entity, record.payload))
                size = msgspec.structs.replace(size, bytes=total, marks=marks)
        return Partition(
            entity,
            msgspec.structs.replace(size, number=head.number),
            head.version,
            head.incarnation,
            snapshot.number if snapshot else 0,
            unfolded,
        )

    def version(self, instance: Partition) -> int:
        """Number of its records, which are its messages."""
        return instance.version

    def snapshot(self, instance: Partition) -> Snapshot:
        """A place in the log, and what there is up to it."""
        size = instance.size
        return Snapshot(instance.incarnation, size.number, 0, _ENCODER.encode(size))

    def key_hash(self, message: Message) -> bytes:
        """16 bytes for the id of what is published."""
        return digest(message.key.encode())

    def remembered(self, message: Message, reply: bytes) -> Reply:
        """It is there already, and stands where it stands."""
        return Reply(reply, replayed=True)

    def step(self, instance: Partition, message: Message, now_ms: int) -> Step[Partition]:
        """Handle one message; see the head of this file.

        Raises:
            BehaviorError: what is published is no message or too large; what is to be dropped is
                not there; an unknown method.
        """
        if message.kind in (MessageKind.EXPIRE, MessageKind.CLEAN):
            return Step(instance, (), Reply())
        if message.method == SIZE:
            return Step(instance, (), Reply(_ENCODER.encode(instance.size)))
        if message.method == TRIM:
            return self._trim(instance, message, now_ms)
        if message.method == PUBLISH_ALL:
            return self._append(instance, parts_of(message), now_ms)
        if message.method == TAKE:
            return self._take(instance, message, now_ms)
        if message.method != PUBLISH:
            raise refusal(UnknownRoute(f"{TOPIC} has no handler {message.method!r}"))
        return self._append(instance, [Part(message.key, message.payload)], now_ms)

    def part_keys(self, message: Message) -> tuple[bytes, ...]:
        """16 bytes for each id of what is published with others.

        Raises:
            BehaviorError: it is no list of messages, or two of them have one id.
        """
        return keys_of(message) if message.method == PUBLISH_ALL else ()

    def _append(self, instance: Partition, parts: list[Part], now_ms: int) -> Step[Partition]:
        for part in parts:
            self._check(len(part.payload))
        entity, size = instance.entity, instance.size
        partition = place_of(entity)[1]
        records = records_of(parts, entity, partition, size.number, now_ms)
        number = size.number + len(records)
        grown = sum([len(part.payload) for part in parts])
        unfolded = instance.unfolded_bytes + grown
        due = number - instance.folded >= SNAPSHOT_MESSAGES or unfolded >= SNAPSHOT_BYTES
        changed = Partition(
            entity,
            msgspec.structs.replace(size, number=number, bytes=size.bytes + grown),
            instance.version + len(records),
            instance.incarnation,
            number if due else instance.folded,
            0 if due else unfolded,
        )
        first = _ENCODER.encode(Published(partition, size.number + 1))
        return Step(changed, records, Reply(first), due)

    def _take(self, instance: Partition, message: Message, now_ms: int) -> Step[Partition]:
        try:
            take = read_take(message.payload)
        except msgspec.DecodeError as problem:
            raise refusal(InvalidPayload(f"nothing that can be taken: {problem}")) from problem
        if take.before != next((m for m in instance.size.marks if m.lane == take.lane), None):
            return Step(instance, (), Reply(take_reply(instance.size.marks, take.lane)))
        changed, due, records = instance, False, list[Record]()
        for made in take.messages:
            payload = _ENCODER.encode(made)
            self._check(len(payload))
            changed, full = _grown(changed, payload, made.mark)
            due = due or full
            place = (instance.entity, changed.size.number, now_ms)
            records.append(Record(RecordKind.EVENT, TOPIC, *place, payload))
        return Step(changed, tuple(records), Reply(take_reply(changed.size.marks, take.lane)), due)

    def _check(self, size: int) -> None:
        if size > self._bytes_max:
            error = f"a message of {size} bytes, event_bytes_max is {self._bytes_max}"
            raise refusal(PayloadTooLarge(error))

    def _trim(self, instance: Partition, message: Message, now_ms: int) -> Step[Partition]:
        try:
            trim = _TRIM.decode(message.payload)
        except msgspec.DecodeError as problem:
            raise refusal(InvalidPayload(f"nothing that can be dropped: {problem}")) from problem
        size = instance.size
        if trim.number <= size.dropped:
            return Step(instance, (), Reply())
        if trim.number > size.number or trim.offset <= size.dropped_offset:
            raise refusal(InvalidPayload(f"{trim} of {size}"))
        less = msgspec.structs.replace(
            size,
            dropped=trim.number,
            dropped_bytes=size.dropped_bytes + trim.bytes,
            dropped_offset=trim.offset,
        )
        changed = msgspec.structs.replace(instance, size=less, version=instance.version + 1)
        record = Record(
            *(RecordKind.TRIMMED, TOPIC, instance.entity, size.number, now_ms),
            trim_payload(trim.offset, trim.bytes, _ENCODER.encode(less)),
        )
        return Step(changed, (record,), Reply(), True)


def _grown(instance: Partition, payload: bytes, mark: Mark | None = None) -> tuple[Partition, bool]:
    """A partition with a message more, and whether a snapshot of it is due."""
    number, unfolded = instance.size.number + 1, instance.unfolded_bytes + len(payload)
    due = number - instance.folded >= SNAPSHOT_MESSAGES or unfolded >= SNAPSHOT_BYTES
    changed = Partition(
        instance.entity,
        msgspec.structs.replace(
            instance.size,
            number=number,
            bytes=instance.size.bytes + len(payload),
            marks=marks_with(instance.size.marks, mark),
        ),
        instance.version + 1,
        instance.incarnation,
        number if due else instance.folded,
        0 if due else unfolded,
    )
    return changed, due


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


def trim_order(entity: str, trim: Trim) -> Message:
    """The message that drops messages of a partition."""
    payload = _ENCODER.encode(trim)
    return Message(
        *(MessageKind.COMMAND, TOPIC, entity, TRIM, payload, Encoding.MSGPACK, Encoding.MSGPACK)
    )


def read_size(payload: bytes) -> Size:
    """The reply to `size`."""
    return _SIZE.decode(payload)


def _read_folded(payload: bytes) -> Size:
    """What a snapshot holds; those of before there was retention hold a number."""
    found = _FOLDED.decode(payload)
    return found if isinstance(found, Size) else Size(found)


def is_dropped(payload: bytes) -> bool:
    """Whether nothing but its id is left of a message."""
    return not payload


_ENCODER = msgspec.msgpack.Encoder()
_MESSAGE = msgspec.msgpack.Decoder(TopicMessage)
_PUBLISHED = msgspec.msgpack.Decoder(Published)
_SIZE = msgspec.msgpack.Decoder(Size)
_TRIM = msgspec.msgpack.Decoder(Trim)
_FOLDED: msgspec.msgpack.Decoder[Size | int] = msgspec.msgpack.Decoder(Size | int)
