"""Keys: their order is the order of what they stand for, and none is longer than LMDB takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actorkalix_storage.api import keys

COMPONENT, ENTITY = "c" * 64, "é" * 128

shards = st.integers(0, 65_534)
numbers = st.integers(0, 2**64 - 1)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=16)
subjects = st.tuples(shards, names, names)


def test_every_kind_has_a_prefix_of_its_own() -> None:
    prefixes = {keys.kind_key(kind) for kind in keys.KeyKind}
    assert len(prefixes) == len(keys.KeyKind)
    assert all(len(prefix) == 2 for prefix in prefixes)


def test_the_log_is_the_last_kind() -> None:
    assert max(keys.KeyKind) is keys.KeyKind.LOG


def test_kinds_that_were_released_keep_their_numbers() -> None:
    assert {kind.name: f"{kind:04x}" for kind in keys.KeyKind} == {
        "META": "0100",
        "HOME": "0200",
        "SHARD": "0300",
        "HEAD": "0400",
        "SHARD_LOG": "0500",
        "SNAPSHOT": "0600",
        "IDEMPOTENCY": "0700",
        "TIMER": "0800",
        "RECLAIM": "0900",
        "CURSOR": "0a00",
        "OUTBOX": "0b00",
        "INBOX": "0c00",
        "MARK": "0d00",
        "DROP": "0e00",
        "HOLE": "0f00",
        "AHEAD": "1000",
        "LOG": "ff00",
    }


def test_the_longest_ids_fit() -> None:
    subject = (65_534, COMPONENT, ENTITY)
    prefix = keys.snapshots_key(*subject)
    longest = [
        keys.head_key(*subject),
        keys.snapshot_key(prefix, 2**64 - 1, 65_535),
        keys.timer_key(255, 2**64 - 1, *subject),
    ]
    assert max(map(len, longest)) == 337 < keys.KEY_BYTES_MAX


@given(subjects, subjects)
def test_heads_are_ordered_by_shard_component_length_component_id(
    a: tuple[int, str, str], b: tuple[int, str, str]
) -> None:
    def order(subject: tuple[int, str, str]) -> tuple[int, int, str, str]:
        return subject[0], len(subject[1].encode()), subject[1], subject[2]

    first, second = keys.head_key(*a), keys.head_key(*b)
    assert (first < second) == (order(a) < order(b))
    assert keys.subject_of(first) == a
    assert first.startswith(keys.component_key(a[0], a[1]))


@given(st.integers(0, 255), numbers, subjects, numbers)
def test_timers_are_ordered_by_time(
    kind: int, at_ms: int, subject: tuple[int, str, str], later_ms: int
) -> None:
    key = keys.timer_key(kind, at_ms, *subject)
    assert keys.timer_of(key) == (kind, at_ms, *subject)
    if at_ms < later_ms:
        assert key < keys.timers_key(kind, later_ms)


@given(shards, numbers, numbers)
def test_chunks_and_queues_are_ordered_by_offset(shard: int, a: int, b: int) -> None:
    assert (keys.chunk_key(shard, a) < keys.chunk_key(shard, b)) == (a < b)
    assert keys.shard_offset_of(keys.chunk_key(shard, a)) == (shard, a)
    assert keys.shard_offset_of(keys.reclaim_key(shard, b)) == (shard, b)


@given(subjects, names, numbers, st.integers(0, 65_535))
def test_no_subjects_snapshots_stand_among_anothers(
    subject: tuple[int, str, str], more: str, number: int, piece: int
) -> None:
    prefix = keys.snapshots_key(*subject)
    longer = keys.snapshots_key(subject[0], subject[1], subject[2] + more)
    assert not longer.startswith(prefix)
    assert keys.piece_of(keys.snapshot_key(prefix, number, piece)) == (number, piece)


@given(st.integers(0, keys.SEQUENCE_MAX), st.integers(0, 2**32 - 1))
def test_sequences_and_hours_come_back(sequence: int, hour: int) -> None:
    assert keys.sequence_of(keys.log_key(sequence)) == sequence
    assert keys.hour_of(keys.hour_key(hour) + b"h" * 16) == hour
