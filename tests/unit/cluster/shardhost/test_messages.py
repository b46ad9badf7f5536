"""What travels is bytes."""

from __future__ import annotations

import msgspec

from actorkalix_cluster.shardhost.messages import Encoding, Failure, Message, MessageKind, Reply
from actorkalix_storage.api import Position


def test_messages_and_replies_survive_the_wire() -> None:
    message = Message(MessageKind.COMMAND, "c", "e", "m", b"{}", Encoding.JSON, key="k")
    reply = Reply(
        b"1", Failure("AK2001", "aborted", "no", details=b"{}"), (("a", "b"),), 3, Position(1, 2, 3)
    )
    for value in (message, reply):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=type(value)) == value
