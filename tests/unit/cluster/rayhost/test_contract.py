"""What travels between run and host survives the way, and factories are found by name."""

from __future__ import annotations

import msgspec

from actorkalix_cluster.rayhost.contract import (
    HostSpec,
    NotStarted,
    Started,
    StartReply,
    factory_named,
)


def test_structs_travel_as_msgpack() -> None:
    spec = HostSpec("a.b:c", b"\x00config", "/tmp/ak-1", b"ticket", ("x",))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(spec), type=HostSpec) == spec
    replies: list[StartReply] = [Started(b"facts"), NotStarted("AK4003", "another service's")]
    for reply in replies:
        encoded = msgspec.msgpack.encode(reply)
        assert msgspec.msgpack.decode(encoded, type=StartReply) == reply


def test_a_factory_is_found_by_its_name() -> None:
    found: object = factory_named("msgspec.msgpack:encode")
    assert found is msgspec.msgpack.encode
