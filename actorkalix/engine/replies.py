"""Replies: values and failures, and how they are remembered under an idempotency key."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from actorkalix.errors import ActorkalixError, HandlerFailed
from actorkalix.failures import failure_of
from actorkalix_cluster.shardhost.behavior import BehaviorError, BehaviorFault
from actorkalix_cluster.shardhost.messages import Failure, Message, Reply


class StoredReply(msgspec.Struct, frozen=True, array_like=True):
    """What is stored under a key: hash of the request, and value (MessagePack) or domain error.

    Or the message to which it was forwarded: it is sent again, under a key of its own.
    """

    request: bytes
    payload: bytes = b""
    metadata: tuple[tuple[str, str], ...] = ()
    failure: Failure | None = None
    forward: Message | None = None


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(StoredReply)


def pack(stored: StoredReply) -> bytes:
    """Bytes of a stored reply."""
    return _ENCODER.encode(stored)


def unpack(data: bytes) -> StoredReply:
    """The stored reply of these bytes."""
    return _DECODER.decode(data)


def digest(*parts: bytes) -> bytes:
    """16 bytes that stand for the parts (blake2b, each part with its length before it)."""
    told = b"".join([len(part).to_bytes(4, "big") + part for part in parts])
    return blake2b(told, digest_size=16).digest()


def refusal(error: ActorkalixError) -> BehaviorError:
    """What a behavior raises where the caller is at fault."""
    return BehaviorError(Reply(failure=failure_of(error)))


def fault(error: ActorkalixError, message: Message) -> BehaviorFault:
    """What a behavior raises where the service is at fault: the host logs it, with its id."""
    failure = failure_of(error)
    told = (
        f"{failure.message} [{message.correlation_id}]"
        if message.correlation_id
        else failure.message
    )
    return BehaviorFault(Reply(failure=msgspec.structs.replace(failure, message=told)))


def broken(text: str) -> HandlerFailed:
    """The error of a handler that did what no handler may do."""
    return HandlerFailed(text)


def raised(which: str, problem: BaseException) -> str:
    """What is said of a handler that has raised something."""
    text = f"{which} raised {type(problem).__name__}"
    return f"{text}: {problem}" if str(problem) else text
