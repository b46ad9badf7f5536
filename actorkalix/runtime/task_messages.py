"""Messages and replies on their way between a host and the workers of its tasks.

    byte 0       protocol version
    the rest     msgpack: the message or the reply

Host and workers are of one run, so there is nothing to negotiate: another version is refused.
"""

from __future__ import annotations

import msgspec

from actorkalix.runtime.loading import ServiceSpec
from actorkalix_cluster.shardhost.messages import Message, Reply
from actorkalix_cluster.shardhost.versioned import unpacked

PROTOCOL = 1

_HEAD = bytes((PROTOCOL,))
_encode = msgspec.msgpack.Encoder().encode
_message = msgspec.msgpack.Decoder(Message)
_reply = msgspec.msgpack.Decoder(Reply)


class WorkerConfig(msgspec.Struct, frozen=True):
    """What a worker is told to be; travels as msgpack.

    Attributes:
        spec: where the service is defined; the worker imports it itself.
    """

    spec: ServiceSpec


def packed(said: Message | Reply) -> bytes:
    """A message or reply as bytes."""
    return _HEAD + _encode(said)


def message_in(data: bytes) -> Message:
    """The message in these bytes.

    Raises:
        OtherProtocol: they are of another version.
    """
    return unpacked(data, PROTOCOL, _message)


def reply_in(data: bytes) -> Reply:
    """The reply in these bytes.

    Raises:
        OtherProtocol: they are of another version.
    """
    return unpacked(data, PROTOCOL, _reply)
