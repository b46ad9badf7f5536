"""What hosts and timers say to each other is bytes."""

from __future__ import annotations

import msgspec

from actorkalix_cluster.shardhost.fired import Firing, Outcome, Settled
from actorkalix_cluster.shardhost.messages import Failure, Message, MessageKind


def test_it_survives_as_bytes() -> None:
    call = Message(MessageKind.COMMAND, "c", "e", "m", b"{}", key="k", metadata=(("a", "b"),))
    failure = Failure("AK2001", "aborted", "no")
    for value in (Firing(call, b"t"), Outcome(b"t", failure), Settled(7, 1, given_up=True)):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=type(value)) == value
