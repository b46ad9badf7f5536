"""A batch takes an append as a whole or leaves no trace of it."""

from __future__ import annotations

import pytest

from actorkalix_storage.api import (
    Append,
    Appended,
    Position,
    Record,
    RecordKind,
    RefusalKind,
    Refused,
)
from actorkalix_storage.batch import Batch, impossible_id
from actorkalix_storage.tables import Layer, NoTables

START_MS = 1_700_000_000_000


def event(number: int, entity: str = "a") -> Record:
    return Record(RecordKind.EVENT, "cart", entity, number, START_MS)


@pytest.fixture
def batch() -> Batch:
    made = Batch(NoTables(7), 7, 4, {3: "burnt"})
    made.open(0, START_MS)
    assert isinstance(made.add(Append(0, 1, 0, (event(1), event(2)))), Appended)
    return made


@pytest.mark.parametrize(
    "append, kind",
    [
        (Append(0, 1, 1, (event(2),)), RefusalKind.WRONG_PREVIOUS),
        (Append(0, 1, 2, (event(3), event(3))), RefusalKind.INVALID),
        (Append(0, 2, 2, (event(3),)), RefusalKind.INVALID),
        (Append(0, 0, 2, (event(3),)), RefusalKind.OLD_EPOCH),
        (Append(3, 1, 0, (event(1),)), RefusalKind.DAMAGED),
        (Append(9, 1, 0, (event(1),)), RefusalKind.INVALID),
    ],
)
def test_a_refused_append_leaves_no_trace(batch: Batch, append: Append, kind: RefusalKind) -> None:
    before = (dict(batch.heads), dict(batch.shards), list(batch.records))
    outcome = batch.add(append)
    assert isinstance(outcome, Refused)
    assert outcome.kind is kind
    assert (batch.heads, batch.shards, batch.records) == before


def test_places_follow_one_another(batch: Batch) -> None:
    assert batch.add(Append(0, 1, 2, (event(3),))) == Appended(Position(7, 1, 4))
    assert batch.add(Append(0, 1, 0, (event(1, "b"),))) == Appended(Position(7, 1, 5))
    found = [(s.position.offset, s.version, s.previous, s.incarnation) for s in batch.records[1:]]
    assert found == [(2, 1, (0, 0), 2), (3, 2, (1, 2), 2), (4, 3, (1, 3), 2), (5, 1, (0, 0), 5)]


def test_sealing_and_opening_are_records_too(batch: Batch) -> None:
    assert batch.open(3, START_MS) is None
    assert isinstance(batch.seal(3, 1), Refused)
    assert batch.seal(0, 1) == Position(7, 1, 4)
    assert batch.seal(0, 1) == Position(7, 1, 4)
    assert batch.open(0, START_MS) is None
    assert [s.record.kind for s in batch.records].count(RecordKind.EPOCH) == 2
    with pytest.raises(ValueError, match="shard 4 of 4"):
        batch.open(4, START_MS)


def test_ids_are_measured_in_bytes() -> None:
    assert impossible_id("c" * 64, "é" * 128) == ""
    assert "258 bytes" in impossible_id("c", "é" * 129)
    assert "65 bytes" in impossible_id("c" * 65, "e")
    assert "Unicode" in impossible_id("c", "\ud800")


def test_a_shard_that_is_not_whole_takes_nothing() -> None:
    below = Layer(NoTables(7))
    below.begin_copy(0, Position(7, 4, 9), START_MS)
    below.move(0, Position(7, 3, 5))
    batch = Batch(below, 7, 4, {}, {0})
    assert batch.open(0, START_MS) is None
    assert batch.open(0, START_MS, sealed=True) is None
    for outcome in (batch.seal(0, 3), batch.add(Append(0, 3, 0, (event(1),)))):
        assert isinstance(outcome, Refused)
        assert (outcome.kind, "not complete" in outcome.reason) == (RefusalKind.INVALID, True)
    assert batch.records == []


def test_a_sealed_shard_is_opened_when_it_is_said(batch: Batch) -> None:
    batch.seal(0, 1)
    assert batch.open(0, START_MS, sealed=True) == 2
    assert not batch.state(0).sealed
    assert isinstance(batch.add(Append(0, 2, 2, (event(3),))), Appended)
    never = batch.seal(1, 0)
    assert isinstance(never, Refused)
    assert "never opened" in never.reason
