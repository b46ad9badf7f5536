"""What hosts and places say to each other crosses whole, or not at all."""

from __future__ import annotations

import pytest

from actorkalix_cluster.shardhost.elsewhere import (
    Elsewhere,
    Load,
    Loaded,
    Raised,
    Ran,
    Refused,
    Run,
    Shadow,
    Shoot,
    Shot,
    answer_in,
    packed,
    request_in,
)
from actorkalix_cluster.shardhost.messages import Failure, Message, MessageKind, Reply
from actorkalix_cluster.shardhost.nearby import Nearby
from actorkalix_cluster.shardhost.versioned import OtherProtocol
from actorkalix_storage.api import (
    Head,
    History,
    Position,
    Record,
    RecordKind,
    Snapshot,
    StoredRecord,
)
from tests.unit.cluster.shardhost.counter import COUNTER, CounterBehavior

RECORD = Record(RecordKind.EVENT, COUNTER, "a", 3, 1_000, b"\x00\xff", b"k" * 16, b"reply", 5_000)
SNAPSHOT = Snapshot(4, 2, 9, b"\x00" * 20)


def history() -> History:
    """As a store makes it."""
    position = Position(7, 2, 11)
    head = Head(3, 3, 4, 2, 11)
    return History(head, SNAPSHOT, (StoredRecord(5, position, (2, 9), 3, 4, RECORD),))


@pytest.mark.parametrize(
    "request_",
    [
        Load(COUNTER, "a", None),
        Load(COUNTER, "ä\x00", history()),
        Run(3, 2, Message(MessageKind.COMMAND, COUNTER, "a", "add", b"\xff", key="k"), 1_000),
        Shoot(4),
    ],
)
def test_requests_come_back_as_they_were(request_: Load | Run | Shoot) -> None:
    assert request_in(packed(request_)) == request_


@pytest.mark.parametrize(
    "answer",
    [
        Loaded(4),
        Ran((RECORD, RECORD), Reply(b"5"), 6, True, False),
        Refused(Reply(failure=Failure("AK2001", "out_of_range", "no"))),
        Raised("ValueError: no"),
        Shot(None),
        Shot(SNAPSHOT),
    ],
)
def test_answers_come_back_as_they_were(answer: Loaded | Ran | Refused | Raised | Shot) -> None:
    assert answer_in(packed(answer)) == answer


@pytest.mark.parametrize("data", [b"", b"\x02" + packed(Shoot(1))[1:]])
def test_another_version_is_refused(data: bytes) -> None:
    with pytest.raises(OtherProtocol, match="protocol version 1"):
        request_in(data)
    with pytest.raises(OtherProtocol):
        answer_in(data)


def test_a_host_never_runs_what_is_elsewhere() -> None:
    counters = CounterBehavior()
    behavior = Elsewhere(counters, Nearby({COUNTER: counters}), 1_000)
    message = Message(MessageKind.COMMAND, COUNTER, "a", "add", b"1")
    assert behavior.version(Shadow(3, 17)) == 17
    assert len(behavior.key_hash(message)) == 16
    for call in (
        lambda: behavior.empty("a"),
        lambda: behavior.restore("a", history()),
        lambda: behavior.step(Shadow(0, 0), message, 1),
        lambda: behavior.snapshot(Shadow(0, 0)),
    ):
        with pytest.raises(AssertionError, match="elsewhere"):
            call()
