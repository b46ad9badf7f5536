"""Requests whose callers wait for the disk alone: `Prefer: respond-async` (RFC 7240)."""

from __future__ import annotations

from actorkalix.engine.sending import send_order
from actorkalix.gateway.headers import RESPOND_ASYNC, Head, Headers
from actorkalix_cluster.shardhost.messages import Message, MessageKind

APPLIED = (b"preference-applied", RESPOND_ASYNC)
"""Header of an answer: the call is queued (202), its outcome is not known."""


def queued(message: Message, head: Head, headers: Headers) -> Message:
    """The message of a request, or the one that queues it where the caller prefers that.

    Args:
        message: of the request; only commands are queued.
        head: of the request.
        headers: of its answer; say what was done.
    """
    if message.kind is not MessageKind.COMMAND or not head.respond_async():
        return message
    headers.append(APPLIED)
    return send_order(message)
