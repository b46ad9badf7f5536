"""Making room: what a cleaned subject leaves behind, and idempotency keys that are too old.

A `CLEANED` record queues its life (a RECLAIM row). Slices walk the life's records from the newest
to the oldest and write their log rows anew with a marker in each one's place: offsets and ordinals
stay, the bytes go. Where the walk stands is in the queue's row, in the same transaction; the
`CLEANED` record itself goes last, with the life's snapshots and the row. Only log rows that no
recovery will replay are touched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Sequence

import lmdb

from actorkalix_storage.api import Damaged, StoredRecord
from actorkalix_storage.api.frames import Marker, MarkerKind, decode, encode_marker
from actorkalix_storage.api.keys import (
    KeyKind,
    hour_key,
    hour_of,
    kind_key,
    log_key,
    reclaim_key,
    shard_offset_of,
)

from . import snapshots
from .environment import Environment
from .rows import log_directory, pack_log, pack_offset, unpack_offset
from .view import View

RECORDS_OF_SLICE = 500
ROW_BYTES_OF_SLICE = 4 * 1024**2


def queued(view: View, sequence: int, damaged: Container[int]) -> tuple[int, int, int] | None:
    """Shard, offset of `CLEANED` and next offset of a life to strip that ends before the mark."""
    key = kind_key(KeyKind.RECLAIM)
    cursor = view.rows().cursor()
    found = cursor.set_range(key)
    while found and cursor.key()[:2] == key:
        shard, offset = shard_offset_of(cursor.key())
        is_safe = 0 < view.pointer(shard, offset) >> 16 <= sequence
        if is_safe and shard not in damaged:
            return shard, offset, unpack_offset(cursor.value())
        found = cursor.next()
    return None


def strip(environment: Environment, view: View, life: tuple[int, int, int]) -> None:
    """Strip one slice of a queued life."""
    shard, cleaned_at, offset = life
    cleaned = view.at(shard, cleaned_at)
    if cleaned is None:
        raise Damaged(f"shard {shard}, offset {cleaned_at}: queued to be stripped, but removed")
    if offset == cleaned_at:
        offset = cleaned.previous[1]
    gone: list[StoredRecord] = []
    size = 0
    while offset and len(gone) < RECORDS_OF_SLICE and size < ROW_BYTES_OF_SLICE:
        stored = view.at(shard, offset)
        if stored is None:
            break
        gone.append(stored)
        size += len(stored.record.payload)
        offset = stored.previous[1]
    finished = offset == 0
    if finished:
        gone.append(cleaned)
    places = [view.pointer(shard, stored.position.offset) for stored in gone]
    view.end()
    with environment.write() as rows:
        _remove(rows, gone, places)
        if finished:
            record = cleaned.record
            subject = (shard, record.component, record.entity)
            snapshots.forget(rows, subject, cleaned.incarnation)
            rows.delete(reclaim_key(shard, cleaned_at))
        else:
            rows.put(reclaim_key(shard, cleaned_at), pack_offset(offset))


def forget_keys(environment: Environment, oldest_hour: int, rows_max: int) -> int:
    """Delete at most `rows_max` idempotency rows of hours before `oldest_hour`; say how many."""
    count = 0
    with environment.write() as rows:
        cursor = rows.cursor()
        found = cursor.set_range(hour_key(0))
        while found and count < rows_max and cursor.key()[:2] == kind_key(KeyKind.IDEMPOTENCY):
            if hour_of(cursor.key()) >= oldest_hour:
                break
            found = cursor.delete()
            count += 1
    return count


def _remove(
    rows: lmdb.Transaction[bytes], gone: Sequence[StoredRecord], places: Sequence[int]
) -> None:
    """Put a marker in each record's place."""
    of_row: dict[int, dict[int, StoredRecord]] = defaultdict(dict)
    for stored, place in zip(gone, places, strict=True):
        of_row[place >> 16][place & 0xFFFF] = stored
    for sequence, removed in of_row.items():
        row = rows.get(log_key(sequence))
        if row is None:
            raise Damaged(f"log row {sequence} is missing")
        starts, shards = log_directory(row, sequence)
        frames = [row[starts[i] : starts[i + 1]] for i in range(len(shards))]
        for ordinal, stored in removed.items():
            frame = decode(frames[ordinal], 0, len(frames[ordinal]), sequence)
            assert isinstance(frame, Marker) or frame == stored
            marker = Marker(MarkerKind.REMOVED, stored.shard, stored.position)
            frames[ordinal] = encode_marker(marker)
        rows.put(log_key(sequence), pack_log(sequence, frames, shards))
