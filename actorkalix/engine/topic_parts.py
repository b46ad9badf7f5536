"""Messages for one partition of a topic that travel, and are published, as one. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from actorkalix.errors import InvalidPayload
from actorkalix_cluster.shardhost.messages import SEVERAL, Encoding, Message, MessageKind
from actorkalix_storage.api import Record, RecordKind

from .replies import digest, refusal
from .topic_message import TOPIC, TopicMessage

PUBLISH_ALL = "publish-all"


class Part(msgspec.Struct, frozen=True, array_like=True):
    """One of the messages: its id or "", and the bytes of its `TopicMessage`."""

    key: str
    payload: bytes


def together(orders: Sequence[Message]) -> Message:
    """One message that publishes what these do, in their order.

    Args:
        orders: two or more of `publish_order`, for one partition, of ids that differ.
    """
    first = orders[0]
    parts = [Part(order.key, order.payload) for order in orders]
    return Message(
        *(MessageKind.COMMAND, first.component, first.entity, PUBLISH_ALL),
        *(_ENCODER.encode(parts), Encoding.MSGPACK, Encoding.MSGPACK, SEVERAL),
        correlation_id=first.correlation_id,
    )


def apart(reply: bytes, count: int) -> list[bytes]:
    """The reply to each of so many messages: they stand in a row from the one of this reply on."""
    partition, first = _PLACE.decode(reply)
    return [_ENCODER.encode((partition, first + nth)) for nth in range(count)]


def parts_of(message: Message) -> list[Part]:
    """What a message publishes; at least one.

    Raises:
        BehaviorError: it is no list of messages.
    """
    try:
        parts = _PARTS.decode(message.payload)
    except msgspec.DecodeError as problem:
        raise refusal(InvalidPayload(f"no messages of a topic: {problem}")) from problem
    if not parts:
        raise refusal(InvalidPayload("no message of a topic"))
    return parts


def keys_of(message: Message) -> tuple[bytes, ...]:
    """16 bytes for each id of what a message publishes.

    Raises:
        BehaviorError: it is no list of messages, or two of them have one id.
    """
    keys = [part.key for part in parts_of(message) if part.key]
    if len(set(keys)) < len(keys):
        raise refusal(InvalidPayload("two messages of one id"))
    return tuple([digest(key.encode()) for key in keys])


def records_of(
    parts: Sequence[Part], entity: str, partition: int, number: int, now_ms: int
) -> tuple[Record, ...]:
    """A record of each message, with what is said to its publisher under its id.

    Args:
        parts: the messages.
        entity: of the partition.
        partition: its number.
        number: of the newest message before them.
        now_ms: time of the records.

    Raises:
        BehaviorError: one is no message.
    """
    records: list[Record] = []
    for part in parts:
        number += 1
        try:
            _MESSAGE.decode(part.payload)
        except msgspec.DecodeError as problem:
            raise refusal(InvalidPayload(f"no message of a topic: {problem}")) from problem
        key = reply = b""
        if part.key:
            key, reply = digest(part.key.encode()), _ENCODER.encode((partition, number))
        place = (RecordKind.EVENT, TOPIC, entity, number, now_ms, part.payload)
        records.append(Record(*place, key=key, reply=reply))
    return tuple(records)


_MESSAGE = msgspec.msgpack.Decoder(TopicMessage)
_ENCODER = msgspec.msgpack.Encoder()
_PARTS = msgspec.msgpack.Decoder(list[Part])
_PLACE = msgspec.msgpack.Decoder(tuple[int, int])
