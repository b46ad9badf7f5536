"""Frames: what is written comes back, and no flipped bit goes unseen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorkalix_storage.api import Damaged, Position, Record, RecordKind, StoredRecord
from actorkalix_storage.api.frames import (
    PENDING,
    Marker,
    MarkerKind,
    decode,
    encode,
    encode_marker,
    is_pending,
)

u64 = st.integers(0, 2**64 - 1)
u32 = st.integers(0, 2**32 - 1)
texts = st.text(st.characters(codec="utf-8"), max_size=60)
positions = st.builds(Position, u64, u32, u64)
records = st.builds(
    Record,
    st.sampled_from(RecordKind),
    texts,
    texts,
    u64,
    u64,
    st.binary(max_size=300),
    st.sampled_from([b"", b"k" * 16]),
    st.binary(max_size=100),
    u64,
)
stored_records = st.builds(
    StoredRecord, st.integers(0, 65_535), positions, st.tuples(u32, u64), u64, u64, records
)


@given(stored_records, st.booleans(), st.binary(max_size=20))
def test_a_record_comes_back(stored: StoredRecord, pending: bool, before: bytes) -> None:
    frame = encode(stored, PENDING if pending else 0)
    data = memoryview(before + frame + b"after")
    start, end = len(before), len(before) + len(frame)
    assert decode(data, start, end) == stored
    assert is_pending(data, start) is pending


@given(stored_records, st.data())
def test_a_flipped_bit_is_found(stored: StoredRecord, data: st.DataObject) -> None:
    frame = bytearray(encode(stored))
    bit = data.draw(st.integers(0, len(frame) * 8 - 1))
    frame[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Damaged, match="log row 7, byte 0"):
        decode(bytes(frame), 0, len(frame), 7)


@given(stored_records, st.integers(0, 400))
def test_a_cut_frame_is_found(stored: StoredRecord, length: int) -> None:
    frame = encode(stored)
    end = min(length, len(frame) - 1)
    with pytest.raises(Damaged):
        decode(frame[:end], 0, end)


@pytest.mark.parametrize("kind", MarkerKind)
def test_a_marker_comes_back(kind: MarkerKind) -> None:
    marker = Marker(kind, 65_535, Position(2**64 - 1, 3, 4), after=2**64 - 1, time_ms=2**64 - 2)
    frame = encode_marker(marker)
    assert len(frame) == 96
    assert decode(frame, 0, len(frame)) == marker
    assert not is_pending(frame, 0)


def test_kinds_leave_the_bit_of_waiting_records_free() -> None:
    kinds = [*map(int, RecordKind), *map(int, MarkerKind)]
    assert len(kinds) == len(set(kinds))
    assert all(0 < kind < PENDING for kind in kinds)
