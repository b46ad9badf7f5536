"""From a call, which is a value of the user's, to the message that it becomes."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from actorkalix.codec import codecs_for
from actorkalix.describe import descriptor_of
from actorkalix.describe.descriptors import ComponentDescriptor, HandlerDescriptor
from actorkalix.describe.routes import READS
from actorkalix.errors import UnknownRoute
from actorkalix.model.calls import Call
from actorkalix.model.names import check_entity_id, check_idempotency_key
from actorkalix.model.transport import Request
from actorkalix.model.workflows import CONTROLS
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind
from actorkalix_cluster.shardhost.outgoing import DERIVED, pack_messages

from .replies import digest

TRACING = frozenset(("traceparent", "tracestate"))
"""Metadata that goes from a message to all that its handler asks (W3C Trace Context)."""

_MS = timedelta(milliseconds=1)


def without_elements(request: Request) -> tuple[Request, AsyncIterable[Any] | None]:
    """A call, and the stream among its arguments, which no message holds.

    Raises:
        TypeError: the handler does not take these arguments.
    """
    handler = descriptor_of(request.component).handlers.get(request.method)
    if handler is None or handler.elements is None:
        return request, None
    bound = inspect.signature(handler.fn).bind(None, *request.args, **request.kwargs)
    given = dict(list(bound.arguments.items())[1:])
    elements = given.pop(handler.elements.name)
    if not hasattr(elements, "__aiter__"):
        got = type(elements).__name__
        raise TypeError(f"{request.method}() takes an async iterator for a stream, got {got}")
    return msgspec.structs.replace(request, args=(), kwargs=given), elements


def message_kind(component: ComponentDescriptor, handler: HandlerDescriptor) -> MessageKind:
    """What a message for a handler is to be."""
    if handler.kind in READS:
        return MessageKind.QUERY
    if component.kind == "workflow" and handler.name in CONTROLS:
        return MessageKind.CONTROL
    return MessageKind.COMMAND


def message_of(
    request: Request,
    *,
    now_ms: int = 0,
    accept: Encoding = Encoding.MSGPACK,
    correlation_id: str = "",
) -> Message:
    """The message of a call from outside.

    Args:
        request: what the call says.
        now_ms: time here, for the deadline that its timeout makes.
        accept: how the reply is to be encoded.
        correlation_id: of the message.

    Raises:
        UnknownRoute: the component has no such handler.
        TypeError: the handler does not take these arguments, or one cannot be encoded.
        InvalidEntityId, InvalidIdempotencyKey: as it says.
    """
    descriptor = descriptor_of(request.component)
    handler = descriptor.handlers.get(request.method)
    if handler is None:
        raise UnknownRoute(f"{descriptor.component_id} has no handler {request.method!r}")
    codec = codecs_for(descriptor).arguments[request.method]
    key, entity = request.idempotency_key, request.entity_id
    return Message(
        message_kind(descriptor, handler),
        descriptor.component_id,
        "" if entity is None else check_entity_id(entity),
        request.method,
        codec.encode(request.args, request.kwargs, Encoding.MSGPACK),
        Encoding.MSGPACK,
        accept,
        "" if key is None else check_idempotency_key(key),
        request.metadata.pairs,
        correlation_id,
        0 if request.timeout is None else now_ms + max(1, request.timeout // _MS),
        after=request.after or "",
        resume=request.resume or "",
    )


def caused_by(cause: Message, request: Request, *, now_ms: int = 0) -> Message:
    """The message of a call that the handler of another message makes.

    It has the correlation id and the tracing of its cause, is one deeper, and has no more time than
    what is left of it.

    Args:
        cause: the message whose handler calls.
        request: what the call says; `keyed` gives it a key.
        now_ms: time here, for the deadline that the call's own timeout makes.

    Raises:
        UnknownRoute, TypeError, InvalidEntityId, InvalidIdempotencyKey: as for `message_of`.
    """
    made = message_of(request, now_ms=now_ms, correlation_id=cause.correlation_id)
    deadlines = [each for each in (made.deadline_ms, cause.deadline_ms) if each]
    named = {name.lower() for name, _ in made.metadata}
    traced = tuple(
        (name, value)
        for name, value in cause.metadata
        if name.lower() in TRACING and name.lower() not in named
    )
    return msgspec.structs.replace(
        made,
        metadata=(*made.metadata, *traced),
        deadline_ms=min(deadlines, default=0),
        depth=cause.depth + 1,
    )


FORWARDED = -1
"""Number of a forwarded call among those of its handler, which are counted from 0."""


def forward_of(cause: Message, request: Request) -> Message:
    """The message that has the answer to another one in its place (AC-30).

    It asks for the reply in the encoding that was asked for, and makes nothing sooner late: it has
    the time of its cause, whatever the call itself says, for nobody knows when it leaves.

    Raises:
        UnknownRoute, TypeError, InvalidEntityId, InvalidIdempotencyKey: as for `message_of`.
    """
    timeless = msgspec.structs.replace(request, timeout=None)
    made = caused_by(cause, keyed(cause, timeless, FORWARDED))
    return msgspec.structs.replace(made, accept=cause.accept)


def outgoing(cause: Message, calls: Sequence[Call[Any]]) -> bytes:
    """The payload of the record with the side effects of a message's handler, in order.

    Raises:
        UnknownRoute, TypeError, InvalidEntityId, InvalidIdempotencyKey: as for `message_of`.
    """
    return pack_messages(
        [caused_by(cause, keyed(cause, call.request, nth)) for nth, call in enumerate(calls)]
    )


def keyed(cause: Message, request: Request, nth: int) -> Request:
    """The call with an idempotency key of its own, if the message whose handler makes it has one.

    When the message is sent again, its handler makes the same calls again, and each is answered as
    it was the first time. A key counts within an entity or action, so both are in what is hashed.

    Args:
        cause: the message whose handler calls.
        request: what the call says; a key that it has stays.
        nth: number of the call among those of the handler, 0 and up.
    """
    if not cause.key or request.idempotency_key is not None:
        return request
    component = descriptor_of(request.component).component_id
    whence = (cause.component, cause.entity, cause.key)
    parts = (*whence, component, request.entity_id or "", request.method, str(nth))
    key = digest(*(part.encode() for part in parts)).hex()
    kind = DERIVED if cause.key.startswith(DERIVED) else ""
    return msgspec.structs.replace(request, idempotency_key=kind + key)
