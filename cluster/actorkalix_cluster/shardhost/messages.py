"""What travels to an actor and back: plain values, the same on one host and between two."""

from __future__ import annotations

import enum

import msgspec

from actorkalix_storage.api import Outcome, Position

SEVERAL = "~several"
"""Key of a command of several parts, each of which has a key of its own: see `several`."""


class MessageKind(enum.IntEnum):
    """What is asked of an actor."""

    COMMAND = 1  # may change it; answered when everything that it saw is durable
    QUERY = 2  # reads the durable state
    EXPIRE = 3  # its time to live may have passed (from the host's own timer)
    CLEAN = 4  # its retention after delete may have passed (from the host's cleaner)
    STEP = 5  # run a step of it: for whoever runs steps, never for the actor
    CONTROL = 6  # as COMMAND, but it waits for no step that runs, and knows no idempotency keys


class Encoding(enum.IntEnum):
    """How a payload is written."""

    JSON = 1
    MSGPACK = 2
    QUERY_STRING = 3  # parameters of a GET: a JSON object of lists of strings; requests alone
    CHANGES = 4  # records of an actor for a subscription's handler; requests alone


class Message(msgspec.Struct, frozen=True):
    """One thing asked of one actor.

    Attributes:
        kind: what is asked.
        component, entity: whom.
        method: handler name ("" for EXPIRE and CLEAN).
        payload: the arguments, in `encoding`; b"" is no body.
        encoding: of the payload.
        accept: how the reply is to be encoded (JSON or MSGPACK).
        key: idempotency key, 1 to 128 bytes of UTF-8, or "".
        metadata: what the caller sent along, in order; names compare without case.
        correlation_id: in every log line and error of this message.
        deadline_ms: after this time by the host's clock it is not started any more; 0 is never.
        depth: calls that led to this one, each made by the handler of the one before.
        after: consistency token that whoever answers has to have reached first, or "".
        resume: mark of the last element that the caller of a stream has had, or "".
    """

    kind: MessageKind
    component: str
    entity: str
    method: str = ""
    payload: bytes = b""
    encoding: Encoding = Encoding.JSON
    accept: Encoding = Encoding.JSON
    key: str = ""
    metadata: tuple[tuple[str, str], ...] = ()
    correlation_id: str = ""
    deadline_ms: int = 0
    depth: int = 0
    after: str = ""
    resume: str = ""


class Failure(msgspec.Struct, frozen=True):
    """Why a message was not answered with a value.

    Attributes:
        number: AK number.
        code: gRPC status name in lower case ("failed_precondition").
        message: for the caller; never a stack trace.
        outcome: whether anything may have been executed.
        details: JSON bytes of the domain error's details, or b"".
        retry_after_ms: when asking again makes sense, 0 for no advice.
        http_status: 0 for what `code` maps to.
        type: name of the domain error's class where the service made one of its own, or "".
        fields: JSON bytes of that class's own attributes, or b"".
    """

    number: str
    code: str
    message: str
    outcome: Outcome = "not_executed"
    details: bytes = b""
    retry_after_ms: int = 0
    http_status: int = 0
    type: str = ""
    fields: bytes = b""


class Reply(msgspec.Struct, frozen=True):
    """The answer to a message.

    Attributes:
        payload: the value in the message's `accept` encoding (b"" with a failure).
        failure: set when it was not answered with a value.
        metadata: what the handler sent along.
        shard, position: newest record of the actor's shard that this answer rests on, for tokens,
            or None.
        replayed: the answer was remembered under the message's idempotency key.
        forward: whoever gets this message has the answer; with it there is neither value nor
            failure. It may be sent as soon as this reply is there.
        before: messages that whoever has this reply sends first, within its host; it counts when
            each is answered with a value.
        token: what this answer rests on where that is more than one position, or b"".
        event: kind of an element of a stream, "" for the usual.
        mark: of an element, for `Message.resume`, or "".
    """

    payload: bytes = b""
    failure: Failure | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    shard: int = 0
    position: Position | None = None
    replayed: bool = False
    forward: Message | None = None
    before: tuple[Message, ...] = ()
    token: bytes = b""
    event: str = ""
    mark: str = ""
