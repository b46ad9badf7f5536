"""The guess of how much of the log is stale."""

from __future__ import annotations

from actorkalix_storage.api import Head, Position, Record, RecordKind, StoredRecord
from actorkalix_storage.lmdbstore.estimate import NOW, Estimate

HOUR_MS = 3_600_000
HOUR = 1_000
SUBJECT = (0, "cart", "a")
KEY = b"0123456789abcdef"


def stored(kind: RecordKind, number: int, key: bytes = b"") -> StoredRecord:
    record = Record(kind, "cart", "a", number, HOUR * HOUR_MS, b"x" * 1_000, key)
    return StoredRecord(0, Position(1, 1, 9), (1, 8), number, 2, record)


def test_a_state_supersedes_one_like_it_from_the_next_checkpoint_on() -> None:
    estimate = Estimate(0, {})
    estimate.take(stored(RecordKind.STATE, 1), {})
    estimate.settle()
    assert estimate.stale_bytes(0) == 0, "the first one supersedes nothing"
    estimate.take(stored(RecordKind.STATE, 2), {})
    assert estimate.stale_bytes(0) == 0
    estimate.settle()
    assert 1_000 < estimate.stale_bytes(0) < 1_200


def test_what_has_a_key_counts_when_its_hour_is_over() -> None:
    estimate = Estimate(0, {})
    estimate.take(stored(RecordKind.STATE, 2, KEY), {})
    estimate.settle()
    assert estimate.stale_bytes(HOUR) == 0
    assert estimate.stale_bytes(HOUR + 1) > 1_000
    assert set(estimate.stale) == {NOW}


def test_replies_count_for_entities_with_a_state_alone() -> None:
    estimate = Estimate(0, {})
    of_events, of_states = Head(3, 3, 1, 1, 9), Head(3, 3, 1, 1, 9, state_offset=8)
    estimate.take(stored(RecordKind.REPLY, 3), {SUBJECT: of_events})
    estimate.take(stored(RecordKind.EVENT, 3), {SUBJECT: of_events})
    estimate.settle()
    assert estimate.stale_bytes(0) == 0
    estimate.take(stored(RecordKind.REPLY, 3), {SUBJECT: of_states})
    estimate.settle()
    assert estimate.stale_bytes(0) > 1_000
