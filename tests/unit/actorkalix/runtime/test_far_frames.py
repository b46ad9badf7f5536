"""What travels between a host and a view's process: bytes of one version, and in their order."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from actorkalix.runtime.far_frames import (
    Asked,
    Dropped,
    Element,
    Heard,
    InOrder,
    More,
    Question,
    Said,
    Told,
    heard_in,
    packed,
    said_in,
)
from actorkalix_cluster.shardhost.messages import Failure, Reply
from actorkalix_cluster.shardhost.versioned import OtherProtocol
from actorkalix_storage.api import Position
from tests.unit.actorkalix.runtime.far_pair import asked


def test_they_come_back_as_they_were() -> None:
    message = msgspec.structs.replace(asked("by_name"), payload=b"{}", after="t", resume="m-1")
    frames = (Asked(1, True, 50, message), Dropped(2), More(3, 16), Told(4, b"v", "AK3004"))
    said = Said(2**62, 0, 1_024, 2**64 - 1, frames)
    assert said_in(packed(said)) == said
    reply = Reply(b"x", Failure("AK1", "aborted", "no"), position=Position(1, 2, 3), mark="m-2")
    heard = Heard(
        3, (Element(1, False, reply), Element(1, True, Reply())), (Question(1, "q", b""),)
    )
    assert heard_in(packed(heard)) == heard


def test_other_bytes_are_refused() -> None:
    with pytest.raises(OtherProtocol):
        said_in(b"\x63" + packed(Heard(0))[1:])
    with pytest.raises(msgspec.MsgspecError):
        said_in(packed(Heard(0)))


def test_whatever_overtakes_is_put_in_order() -> None:
    for order in itertools.permutations(range(4)):
        sorter: InOrder[int] = InOrder()
        found = [one for number in order for one in sorter.take(number, number)]
        assert found == [0, 1, 2, 3]
