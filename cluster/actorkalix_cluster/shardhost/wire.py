"""The bytes of a batch: what one host says to another.

    byte 0       protocol version
    the rest     msgpack: [envelope, frames]
    envelope     [store, incarnation, to store, to incarnation, session, number, sent ms]
    frames       [1, id, round, ...the message]   a request
                 [2, id, ...the reply]            its answer
                 [3, broken, taken]               the first of every session but the first

Every field has its place in an array: nothing is found by name, and a class of ours may be renamed
without a word to the wire. Whatever does not fit exactly is a `WireError`, for what follows a field
that was misread would be misread as well. A change of this layout is a new version; hosts of one
run are all of one version, so there is nothing to negotiate.

Deadlines. A message carries its deadline by the sender's clock, the envelope the sender's time: so
the receiver knows the absolute time and what was left of it, and takes whichever ends sooner by its
own clock. On one machine that is the same clock, and exact. A receiver whose clock is ahead refuses
early by as much (nothing is executed), one that is behind starts a message late by at most the time
it was on its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from actorkalix_cluster.shardhost.messages import Encoding, Failure, Message, MessageKind, Reply
from actorkalix_storage.api import Outcome, Position

PROTOCOL = 1
ENVELOPE_BYTES_MAX = 128  # of everything in a batch but its frames

_Count = Annotated[int, msgspec.Meta(ge=0)]
_Number = Annotated[int, msgspec.Meta(ge=1)]


class WireError(Exception):
    """Bytes that are no batch of this version; the message says why."""


class Envelope(
    msgspec.Struct, frozen=True, kw_only=True, array_like=True, forbid_unknown_fields=True
):
    """Who sends a batch to whom, and its place among the others.

    Attributes:
        store, incarnation: the sender.
        to_store, to_incarnation: the receiver; nobody else takes it.
        session: of the sender with this receiver; a new one begins when one was given up.
        number: of the batch in its session, 1 and up, without gaps.
        sent_ms: the sender's time when it was made.
    """

    store: _Count
    incarnation: _Count
    to_store: _Count
    to_incarnation: _Count
    session: _Number
    number: _Number
    sent_ms: _Count


class Request(msgspec.Struct, frozen=True):
    """A message for the receiver's host.

    Attributes:
        id: the sender's, for the answer; rising, never used twice between two incarnations.
        round: see `links`, "order".
        message: whose deadline is by the receiver's clock.
    """

    id: int
    round: int
    message: Message


class Answer(msgspec.Struct, frozen=True):
    """The reply to a request of the receiver's."""

    id: int
    reply: Reply


class Anew(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=3):
    """The sender has begun a new session: answers that it owed may never come.

    Attributes:
        broken: the receiver's session of which it takes nothing more, or 0.
        taken: the last request of the receiver's that was taken; of a broken session none with a
            higher id was, or ever will be.
    """

    broken: _Count
    taken: _Count


Frame = Request | Answer | Anew


class Batch(msgspec.Struct, frozen=True):
    """A batch as it was read."""

    envelope: Envelope
    frames: list[Frame]


class _Request(msgspec.Struct, array_like=True, forbid_unknown_fields=True, tag=1):
    id: _Number
    round: _Count
    kind: MessageKind
    component: str
    entity: str
    method: str
    payload: bytes
    encoding: Encoding
    accept: Encoding
    key: str
    metadata: tuple[tuple[str, str], ...]
    correlation_id: str
    deadline_ms: _Count
    depth: _Count


class _Failure(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    number: str
    code: str
    message: str
    outcome: Outcome
    details: bytes
    retry_after_ms: int
    http_status: int
    type: str
    fields: bytes


class _Answer(msgspec.Struct, array_like=True, forbid_unknown_fields=True, tag=2):
    id: _Number
    payload: bytes
    failure: _Failure | None
    metadata: tuple[tuple[str, str], ...]
    shard: _Count
    position: tuple[_Count, _Count, _Count] | None
    replayed: bool
    forward: _Request | None  # its id and round say nothing


_Frames = list[_Request | _Answer | Anew]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Envelope, _Frames]).decode


# ---- out --------------------------------------------------------------------------------------
def encode_request(number: int, round_: int, message: Message) -> bytes:
    """A frame that asks."""
    return _encode(_request_out(number, round_, message))


def encode_answer(number: int, reply: Reply) -> bytes:
    """A frame that answers."""
    assert not reply.before, "what goes before a reply is sent in the host that has it"
    failure, position, forward = reply.failure, reply.position, reply.forward
    return _encode(
        _Answer(
            number,
            reply.payload,
            None if failure is None else _failure_out(failure),
            reply.metadata,
            reply.shard,
            None if position is None else (position.lineage, position.epoch, position.offset),
            reply.replayed,
            None if forward is None else _request_out(1, 0, forward),
        )
    )


def encode_anew(broken: int, taken: int) -> bytes:
    """A frame that begins a session."""
    return _encode(Anew(broken, taken))


def encode_batch(envelope: Envelope, frames: Sequence[bytes]) -> bytes:
    """The batch of these frames."""
    return bytes((PROTOCOL,)) + _encode((envelope, [msgspec.Raw(frame) for frame in frames]))


def _request_out(number: int, round_: int, message: Message) -> _Request:
    return _Request(
        number,
        round_,
        message.kind,
        message.component,
        message.entity,
        message.method,
        message.payload,
        message.encoding,
        message.accept,
        message.key,
        message.metadata,
        message.correlation_id,
        message.deadline_ms,
        message.depth,
    )


def _failure_out(failure: Failure) -> _Failure:
    return _Failure(
        failure.number,
        failure.code,
        failure.message,
        failure.outcome,
        failure.details,
        failure.retry_after_ms,
        failure.http_status,
        failure.type,
        failure.fields,
    )


# ---- in ---------------------------------------------------------------------------------------
def decode_batch(data: bytes, now_ms: int) -> Batch:
    """Read a batch.

    Args:
        data: what arrived.
        now_ms: time here; deadlines are put into its terms.

    Raises:
        WireError: it is of another version, or no batch at all.
    """
    if not data or data[0] != PROTOCOL:
        found = f"version {data[0]}" if data else "nothing"
        raise WireError(f"a batch begins with protocol version {PROTOCOL}, found {found}")
    try:
        envelope, frames = _decode(memoryview(data)[1:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"a batch of version {PROTOCOL} cannot be read: {error}") from error
    behind_ms = min(0, now_ms - envelope.sent_ms)
    return Batch(envelope, [_frame_in(frame, behind_ms) for frame in frames])


def _frame_in(frame: _Request | _Answer | Anew, behind_ms: int) -> Frame:
    if isinstance(frame, _Request):
        return _request_in(frame, behind_ms)
    if isinstance(frame, _Answer):
        return _answer_in(frame, behind_ms)
    return frame


def _request_in(frame: _Request, behind_ms: int) -> Request:
    deadline_ms = frame.deadline_ms and max(1, frame.deadline_ms + behind_ms)
    return Request(
        frame.id,
        frame.round,
        Message(
            frame.kind,
            frame.component,
            frame.entity,
            frame.method,
            frame.payload,
            frame.encoding,
            frame.accept,
            frame.key,
            frame.metadata,
            frame.correlation_id,
            deadline_ms,
            frame.depth,
        ),
    )


def _answer_in(frame: _Answer, behind_ms: int) -> Answer:
    found, place = frame.failure, frame.position
    failure = None
    if found is not None:
        failure = Failure(
            found.number,
            found.code,
            found.message,
            found.outcome,
            found.details,
            found.retry_after_ms,
            found.http_status,
            found.type,
            found.fields,
        )
    position = None if place is None else Position(*place)
    forward = None if frame.forward is None else _request_in(frame.forward, behind_ms).message
    reply = Reply(
        frame.payload,
        failure,
        frame.metadata,
        frame.shard,
        position,
        frame.replayed,
        forward,
    )
    return Answer(frame.id, reply)
