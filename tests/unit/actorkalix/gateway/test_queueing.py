"""`Prefer: respond-async`: commands are queued, and the answer says so."""

from __future__ import annotations

import msgspec
import pytest

from actorkalix.engine.sending import SENDING
from actorkalix.gateway.headers import Head, Headers
from actorkalix.gateway.queueing import APPLIED, queued
from actorkalix_cluster.shardhost.messages import Message, MessageKind

COMMAND = Message(MessageKind.COMMAND, "cart", "c1", "add")


@pytest.mark.parametrize(
    "value", [b"respond-async", b"Respond-Async; wait=5", b"wait=5, respond-async"]
)
def test_who_prefers_it_is_queued(value: bytes) -> None:
    headers: Headers = []
    message = queued(COMMAND, Head([(b"prefer", value)]), headers)
    assert message.component == SENDING
    assert headers == [APPLIED]


@pytest.mark.parametrize("lines", [[], [(b"prefer", b"wait=5")], [(b"prefer", b"")]])
def test_who_does_not_waits(lines: Headers) -> None:
    headers: Headers = []
    assert queued(COMMAND, Head(lines), headers) is COMMAND
    assert headers == []


def test_queries_are_answered() -> None:
    query = msgspec.structs.replace(COMMAND, kind=MessageKind.QUERY)
    assert queued(query, Head([(b"prefer", b"respond-async")]), []) is query
