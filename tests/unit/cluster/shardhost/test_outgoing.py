"""Messages on disk, and the keys of what is done because of a record."""

from __future__ import annotations

import msgspec
import pytest

from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind
from actorkalix_cluster.shardhost.outgoing import derived_key, pack_messages, unpack_messages
from actorkalix_storage.api import Position

MESSAGE = Message(
    MessageKind.COMMAND,
    "cart",
    "c1",
    "add",
    b"\x91\x01",
    Encoding.MSGPACK,
    Encoding.JSON,
    "key",
    (("a", "1"), ("A", "2")),
    "cid",
    77,
    3,
)


def test_what_is_stored_comes_back_without_what_was_of_one_sending() -> None:
    wanted = msgspec.structs.replace(MESSAGE, accept=Encoding.MSGPACK, deadline_ms=0, depth=0)
    assert unpack_messages(pack_messages([MESSAGE, MESSAGE])) == [wanted, wanted]


def test_the_format_stays() -> None:
    assert pack_messages([MESSAGE]).hex() == (
        "919901a463617274a26331a3616464c402910102a36b65799292a161a13192a141a132a3636964"
    )


def test_what_is_no_payload_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        unpack_messages(b"\x91\x01")


def test_derived_keys_are_of_one_record_and_one_purpose() -> None:
    here = Position(7, 1, 5)
    key = derived_key(3, here, "reader", 0)
    assert key == derived_key(3, here, "reader", 0)
    assert len(key.encode()) == 25
    others = {
        derived_key(4, here, "reader", 0),
        derived_key(3, Position(7, 1, 6), "reader", 0),
        derived_key(3, Position(8, 1, 5), "reader", 0),
        derived_key(3, here, "writer", 0),
        derived_key(3, here, "reader", 1),
    }
    assert len(others | {key}) == 6
