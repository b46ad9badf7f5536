"""Making room: what a cleaned subject leaves behind, and idempotency keys that are too old.

A `CLEANED` record queues its life (a RECLAIM row). Slices walk the life's records from the newest
to the oldest and write their log rows anew with a marker in each one's place: offsets and ordinals
stay, the bytes go, and so do the rows of idempotency keys that led there. Where the walk stands is
in the queue's row, in the same transaction; the `CLEANED` record itself goes last, with the life's
snapshots and the row. Only log rows that no recovery will replay are touched.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Container, Iterable

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
from actorkalix_storage.tables import HOUR_MS

from . import snapshots
from .environment import Environment
from .rows import key_hash, log_directory, pack_log, pack_offset, pack_place, unpack_offset
from .view import View

RECORDS_OF_SLICE = 500
ROW_BYTES_OF_SLICE = 4 * 1024**2


def queued(view: View, sequence: int, damaged: Container[int]) -> tuple[int, int, int] | None:
    """Shard, offset of `CLEANED` and next offset of a life to strip that ends before the mark.

    Args:
        view: to look through.
        sequence: the mark: the last log row that no recovery will replay.
        damaged: shards to leave alone; hidden ones are left alone too.
    """
    key = kind_key(KeyKind.RECLAIM)
    cursor = view.rows().cursor()
    found = cursor.set_range(key)
    while found and cursor.key()[:2] == key:
        shard, offset = shard_offset_of(cursor.key())
        is_left_alone = shard in damaged or shard in view.hidden
        if not is_left_alone and 0 < view.pointer(shard, offset) >> 16 <= sequence:
            return shard, offset, unpack_offset(cursor.value())
        found = cursor.next()
    return None


def strip(environment: Environment, view: View, life: tuple[int, int, int]) -> None:
    """Strip one slice of a queued life."""
    shard, cleaned_at, offset = life
    cleaned = view.bare(shard, cleaned_at)
    if cleaned is None:
        raise Damaged(f"shard {shard}, offset {cleaned_at}: queued to be stripped, but removed")
    if offset == cleaned_at:
        offset = cleaned.previous[1]
    gone: list[StoredRecord] = []
    size = 0
    while offset and len(gone) < RECORDS_OF_SLICE and size < ROW_BYTES_OF_SLICE:
        stored = view.bare(shard, offset)
        if stored is None:
            offset = 0  # the records before were reclaimed
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
        of_row: dict[int, set[int]] = defaultdict(set)
        for place in places:
            of_row[place >> 16].add(place & 0xFFFF)
        for sequence, ordinals in of_row.items():
            remove(rows, shard, sequence, ordinals, _marked)
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


def remove(
    rows: lmdb.Transaction[bytes],
    shard: int,
    sequence: int,
    ordinals: Iterable[int],
    left: Callable[[StoredRecord], bytes],
) -> int:
    """Take records of a shard out of a log row, and with each the row of its idempotency key.

    Args:
        rows: the transaction.
        shard: whose records they are; frames of another shard stay.
        sequence: number of the log row.
        ordinals: which of its frames; markers among them stay, and what cannot be read.
        left: gives what stays in a record's place.

    Returns:
        Size of the row that was read.

    Raises:
        Damaged: the row cannot be read.
    """
    row = rows.get(log_key(sequence))
    if row is None:
        raise Damaged(f"log row {sequence} is missing")
    starts, shards = log_directory(row, sequence)
    frames = [row[starts[i] : starts[i + 1]] for i in range(len(shards))]
    for ordinal in ordinals:
        with contextlib.suppress(Damaged):  # it stays, for `verify` to name
            frame = decode(frames[ordinal], 0, len(frames[ordinal]), sequence)
            if isinstance(frame, StoredRecord) and frame.shard == shard:
                frames[ordinal] = left(frame)
                _forget_key(rows, frame)
    rows.put(log_key(sequence), pack_log(sequence, frames, shards))
    return len(row)


def _marked(stored: StoredRecord) -> bytes:
    return encode_marker(Marker(MarkerKind.REMOVED, stored.shard, stored.position))


def _forget_key(rows: lmdb.Transaction[bytes], stored: StoredRecord) -> None:
    """Delete the row of a record's idempotency key, if it leads there."""
    record = stored.record
    if record.key:
        subject = (stored.shard, record.component, record.entity)
        key = hour_key(record.time_ms // HOUR_MS) + key_hash(subject, record.key)
        if rows.get(key) == pack_place(stored.shard, stored.position.offset):
            rows.delete(key)
