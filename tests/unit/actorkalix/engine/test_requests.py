"""Messages of calls: what they inherit, and keys of their own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from actorkalix import Metadata
from actorkalix.engine.requests import caused_by, forward_of, keyed, message_of
from actorkalix.errors import UnknownRoute
from actorkalix.model.transport import Request
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind

from .ledger import Book

CAUSE = Message(
    MessageKind.COMMAND, "desk", "", "go", accept=Encoding.JSON, key="k", correlation_id="cid",
    metadata=(("TraceParent", "00-1"), ("tenant", "a")), deadline_ms=5_000, depth=3,
)  # fmt: skip


def request(**options: Any) -> Request:
    return Request(Book, "b1", "add", (5,), **options)


def test_a_call_from_outside() -> None:
    made = message_of(request(timeout=timedelta(seconds=1)), now_ms=1_000, correlation_id="x")
    assert (made.component, made.entity, made.method, made.depth) == ("book", "b1", "add", 0)
    assert (made.kind, made.deadline_ms, made.key) == (MessageKind.COMMAND, 2_000, "")
    assert message_of(Request(Book, "b1", "total")).kind is MessageKind.QUERY
    with pytest.raises(UnknownRoute, match="book has no handler 'missing'"):
        message_of(Request(Book, "b1", "missing"))


@pytest.mark.parametrize("timeout_s, deadline_ms", [(1, 2_000), (9, 5_000), (None, 5_000)])
def test_a_call_has_no_more_time_than_its_cause(timeout_s: float | None, deadline_ms: int) -> None:
    timeout = None if timeout_s is None else timedelta(seconds=timeout_s)
    made = caused_by(CAUSE, request(timeout=timeout), now_ms=1_000)
    assert made.deadline_ms == deadline_ms
    assert (made.correlation_id, made.depth) == ("cid", 4)


def test_tracing_goes_along_unless_the_call_has_its_own() -> None:
    assert caused_by(CAUSE, request()).metadata == (("TraceParent", "00-1"),)
    own = Metadata({"traceparent": "00-2", "a": "b"})
    assert caused_by(CAUSE, request(metadata=own)).metadata == own.pairs


def test_keys_come_from_the_root_the_target_and_the_number() -> None:
    key = keyed(CAUSE, request(), 0).idempotency_key
    assert key is not None
    assert len(key) == 32
    assert keyed(CAUSE, request(), 0).idempotency_key == key
    others = [
        keyed(CAUSE, request(), 1),
        keyed(CAUSE, Request(Book, "b2", "add"), 0),
        keyed(CAUSE, Request(Book, "b1", "note"), 0),
        keyed(Message(MessageKind.COMMAND, "desk", "", key="l"), request(), 0),
    ]
    assert len({key, *(other.idempotency_key for other in others)}) == 5
    assert keyed(CAUSE, request(idempotency_key="own"), 0).idempotency_key == "own"
    assert keyed(Message(MessageKind.COMMAND, "desk", ""), request(), 0) == request()


def test_a_forward_asks_for_what_was_asked_for() -> None:
    made = forward_of(CAUSE, request())
    assert (made.accept, made.encoding) == (Encoding.JSON, Encoding.MSGPACK)
    assert made.key
    assert made.key not in (keyed(CAUSE, request(), nth).idempotency_key for nth in range(9))
