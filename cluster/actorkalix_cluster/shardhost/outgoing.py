"""Messages on disk: what an actor has others do, when what led to it is durable.

The payload of an `OUTBOX` record is MessagePack, an array of messages; each is an array of fields
in a fixed order, so that names of ours never reach the disk. What belongs to one sending alone (its
deadline, its depth) is not stored.

A message that is sent because of a record has a *derived key*: a hash of the record's position and
of its place among the record's messages. Sent again after a crash it is the same, and its receiver
handles it once. What its receiver refuses (a domain error) is not remembered under such a key: it
changed nothing, and when it is sent again the receiver may have changed its mind.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import msgspec

from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind
from actorkalix_storage.api import Position

DERIVED = "~"  # how derived keys begin, and those that handlers derive from them in turn


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    """A message as it is stored."""

    kind: MessageKind
    component: str
    entity: str
    method: str
    payload: bytes
    encoding: Encoding
    key: str
    metadata: tuple[tuple[str, str], ...]
    correlation_id: str


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[_Stored, ...]).decode


def pack_messages(messages: Sequence[Message]) -> bytes:
    """The payload of a record with these messages."""
    return _encode([_stored(message) for message in messages])


def _stored(message: Message) -> _Stored:
    return _Stored(
        message.kind,
        message.component,
        message.entity,
        message.method,
        message.payload,
        message.encoding,
        message.key,
        message.metadata,
        message.correlation_id,
    )


def unpack_messages(payload: bytes) -> list[Message]:
    """The messages of a record, their replies in MessagePack.

    Raises:
        msgspec.DecodeError: it is no such payload.
    """
    return [
        Message(
            *(s.kind, s.component, s.entity, s.method, s.payload, s.encoding),
            accept=Encoding.MSGPACK,
            key=s.key,
            metadata=s.metadata,
            correlation_id=s.correlation_id,
        )
        for s in _decode(payload)
    ]


@lru_cache(maxsize=4_096)  # shards, consumers: the same for many records
def _told(part: str | int) -> bytes:
    """A part of what is hashed, with its length before it."""
    text = str(part).encode()
    return len(text).to_bytes(4, "big") + text


def derived_key(shard: int, position: Position, *names: str | int) -> str:
    """The idempotency key of what is done because of a record.

    Args:
        shard: of the record.
        position: of the record.
        names: tell several such things apart (consumer, number of the call).
    """
    lineage, epoch, offset = position.lineage, position.epoch, str(position.offset).encode()
    begin = _told(shard) + _told(lineage) + _told(epoch) + len(offset).to_bytes(4, "big") + offset
    told = b"".join([begin, *map(_told, names)])
    return DERIVED + base64.urlsafe_b64encode(blake2b(told, digest_size=18).digest()).decode()
