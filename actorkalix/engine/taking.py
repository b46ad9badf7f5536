"""Messages of another service's stream on their way into a topic within. Pure.

Theory of operation. A stream has lanes, the partitions of its topic at the service that offers it,
and in each a message has a place: number, lineage, epoch and offset there. Whoever takes messages
of a lane says up to where it was taken before. The partition takes them where that is so, in one
commit with the new mark, and otherwise says where it stands:

    mark of the lane         take                       then
    none                     before none, 1 2 3         1 2 3, the mark is 3's
    3's                      before none, 1 2 3         nothing: it is at 3, and says so
    3's                      before 3's, 4 5            4 5, the mark is 5's

So a message is taken once, however often it comes, whoever brings it and however late; there is no
cursor beside the messages that could be older or newer than they are. A lane is always taken into
the same partition, and a subject is in one lane, so its messages stay in order.

Marks stand in the newest message of each lane, in snapshots, and in what is written when messages
are dropped; so they last as long as the partition.
"""

from __future__ import annotations

import msgspec

from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind

from .topic_message import TOPIC, TopicMessage

TAKE = "take"


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """Where a message stands at the service that offers the stream.

    Attributes:
        lane: partition there.
        number: of the message in it.
        lineage, epoch, offset: its position in its shard there.
    """

    lane: int
    number: int
    lineage: int
    epoch: int
    offset: int


class TakenMessage(TopicMessage, frozen=True, array_like=True):
    """A message of a stream; to those who read it one of a topic.

    Attributes:
        mark: where it stands at its service.
    """

    mark: Mark


class Take(msgspec.Struct, frozen=True, array_like=True):
    """Payload of `take`.

    Attributes:
        lane: whose messages.
        before: up to where it was taken before.
        messages: those after that, in order.
    """

    lane: int
    before: Mark | None
    messages: tuple[TakenMessage, ...]


def take_order(entity: str, take: Take) -> Message:
    """The message that takes messages into a partition."""
    payload = _encode(take)
    return Message(
        *(MessageKind.COMMAND, TOPIC, entity, TAKE, payload),
        *(Encoding.MSGPACK, Encoding.MSGPACK),
        correlation_id=f"~{entity}"[:64],
    )


def read_take(payload: bytes) -> Take:
    """What is to be taken.

    Raises:
        msgspec.DecodeError: it is nothing of that.
    """
    return _take(payload)


def take_reply(marks: tuple[Mark, ...], lane: int) -> bytes:
    """Where a lane stands, as it travels."""
    return _encode(next((mark for mark in marks if mark.lane == lane), None))


def read_mark(payload: bytes) -> Mark | None:
    """The reply to `take`."""
    return _mark.decode(payload)


def mark_of(entity: str, payload: bytes) -> Mark | None:
    """The mark in a record of a partition, where it is one of another service's stream.

    Args:
        entity: the partition.
        payload: of the record.
    """
    if not (payload and entity.startswith("~") and ":" in entity):
        return None
    try:
        return _taken(payload).mark
    except msgspec.DecodeError:
        return None  # it was published by hand


def marks_with(marks: tuple[Mark, ...], mark: Mark | None) -> tuple[Mark, ...]:
    """Marks with a newer one in the place of its lane's."""
    if mark is None:
        return marks
    return (*(one for one in marks if one.lane != mark.lane), mark)


_encode = msgspec.msgpack.Encoder().encode
_take = msgspec.msgpack.Decoder(Take).decode
_taken = msgspec.msgpack.Decoder(TakenMessage).decode
_mark: msgspec.msgpack.Decoder[Mark | None] = msgspec.msgpack.Decoder(Mark | None)
