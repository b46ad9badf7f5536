"""Replies under keys keep their bytes; refusals and faults keep what callers may know."""

from __future__ import annotations

from actorkalix.engine.replies import StoredReply, broken, digest, fault, pack, refusal, unpack
from actorkalix.errors import CommandError, HandlerFailed
from actorkalix_cluster.shardhost.behavior import BehaviorFault
from actorkalix_cluster.shardhost.messages import Failure, Message, MessageKind


def message(correlation_id: str) -> Message:
    return Message(MessageKind.COMMAND, "book", "b1", "lend", correlation_id=correlation_id)


def test_stored_replies_come_back_whole() -> None:
    for stored in (
        StoredReply(b"r" * 16, b"\x07", (("note", "x"),)),
        StoredReply(b"r" * 16, failure=Failure("AK2001", "not_found", "no", fields=b"{}")),
    ):
        assert unpack(pack(stored)) == stored


def test_a_digest_keeps_its_parts_apart() -> None:
    assert len(digest(b"ab", b"c")) == 16
    assert digest(b"ab", b"c") == digest(b"ab", b"c")
    assert len({digest(b"ab", b"c"), digest(b"a", b"bc"), digest(b"abc"), digest(b"abc", b"")}) == 4


def test_the_caller_of_a_fault_is_told_the_correlation_id() -> None:
    """The log has the rest under it."""
    told = fault(broken("the handler failed"), message("cid-7"))
    assert isinstance(told, BehaviorFault)
    assert told.reply.failure is not None
    assert told.reply.failure.message == "the handler failed [cid-7]"
    assert told.reply.failure.number == HandlerFailed.number


def test_without_a_correlation_id_nothing_is_appended() -> None:
    assert str(fault(broken("the handler failed"), message(""))) == "the handler failed"


def test_a_refusal_is_no_fault() -> None:
    refused = refusal(CommandError("no", code="not_found"))
    assert not isinstance(refused, BehaviorFault)
    assert refused.reply.failure == Failure("AK2001", "not_found", "no")
