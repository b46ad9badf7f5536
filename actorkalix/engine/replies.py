"""Replies: values and failures, and how they are remembered under an idempotency key."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec

from actorkalix.errors import (
    HTTP_STATUS,
    ActorkalixError,
    CommandError,
    HandlerFailed,
    NotEncodable,
)
from actorkalix_cluster.shardhost.behavior import BehaviorError, BehaviorFault
from actorkalix_cluster.shardhost.messages import Failure, Message, Reply


class StoredReply(msgspec.Struct, frozen=True, array_like=True):
    """What is stored under a key: the request's hash, and its value (MessagePack) or its domain
    error.
    """

    request: bytes
    payload: bytes = b""
    metadata: tuple[tuple[str, str], ...] = ()
    failure: Failure | None = None


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(StoredReply)
_JSON = msgspec.json.Encoder()
_BASE_FIELDS = frozenset(vars(CommandError("")))


def pack(stored: StoredReply) -> bytes:
    """Bytes of a stored reply."""
    return _ENCODER.encode(stored)


def unpack(data: bytes) -> StoredReply:
    """The stored reply of these bytes."""
    return _DECODER.decode(data)


def digest(*parts: bytes) -> bytes:
    """16 bytes that stand for the parts (blake2b, each part with its length before it)."""
    hashed = blake2b(digest_size=16)
    for part in parts:
        hashed.update(len(part).to_bytes(4, "big"))
        hashed.update(part)
    return hashed.digest()


def failure_of(error: ActorkalixError, *, retry_after_ms: int = 0) -> Failure:
    """The failure that tells a caller of this error."""
    details, name, fields = b"", "", b""
    if isinstance(error, CommandError):
        details = b"" if error.details is None else encode_details(error.details)
        if type(error) is not CommandError:
            own = {key: value for key, value in vars(error).items() if key not in _BASE_FIELDS}
            name, fields = type(error).__name__, encode_details(own)
    usual = HTTP_STATUS[error.code]
    return Failure(
        number=error.number,
        code=error.code,
        message=str(error),
        outcome=error.outcome,
        details=details,
        retry_after_ms=retry_after_ms,
        http_status=0 if error.http_status == usual else error.http_status,
        type=name,
        fields=fields,
    )


def encode_details(details: Any) -> bytes:
    """JSON of a domain error's details.

    Raises:
        NotEncodable: JSON has no form for them.
    """
    try:
        return _JSON.encode(details)
    except (TypeError, ValueError, OverflowError) as problem:
        raise NotEncodable(
            f"details of the error cannot be written as JSON: {problem}"
        ) from problem


def refusal(error: ActorkalixError) -> BehaviorError:
    """What a behavior raises where the caller is at fault."""
    return BehaviorError(Reply(failure=failure_of(error)))


def fault(error: ActorkalixError, message: Message) -> BehaviorFault:
    """What a behavior raises where the service's code is at fault: the host logs it with the
    correlation id.
    """
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
