"""Messages and replies survive the way to a worker and back."""

from __future__ import annotations

import pytest

from actorkalix.runtime.task_messages import PROTOCOL, message_in, packed, reply_in
from actorkalix_cluster.shardhost.messages import Encoding, Failure, Message, MessageKind, Reply
from actorkalix_storage.api import Position

MESSAGE = Message(
    MessageKind.COMMAND,
    "checkout",
    "",
    "pay",
    b"\xff",
    Encoding.MSGPACK,
    Encoding.JSON,
    "key",
    (("traceparent", "00-7"),),
    "id",
    12,
    3,
)
REPLIES = (
    Reply(b"\xff", metadata=(("a", "b"),), shard=7, position=Position(2**64 - 1, 2, 3)),
    Reply(failure=Failure("AK3101", "deadline_exceeded", "no answer", "unknown", b"{}", 5)),
    Reply(forward=MESSAGE),
)


def test_a_message_is_read_as_it_was_written() -> None:
    assert message_in(packed(MESSAGE)) == MESSAGE


@pytest.mark.parametrize("reply", REPLIES)
def test_a_reply_is_read_as_it_was_written(reply: Reply) -> None:
    assert reply_in(packed(reply)) == reply


@pytest.mark.parametrize("data", [b"", bytes((PROTOCOL + 1,)) + packed(MESSAGE)[1:]])
def test_another_version_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=f"protocol version {PROTOCOL}, found"):
        message_in(data)
