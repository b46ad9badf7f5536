"""Walking the log: row after row, frame after frame, telling what can be trusted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import lmdb

from actorkalix_storage.api import Damaged, StoredRecord
from actorkalix_storage.api.frames import Marker, decode, is_pending
from actorkalix_storage.api.keys import STORE_LOG, KeyKind, kind_key, log_key, sequence_of

from .rows import Drop, log_directory, pointer
from .shardlog import hole_at

Rows: TypeAlias = "lmdb.Transaction[memoryview]"


def log_rows(rows: Rows, after: int) -> Iterator[tuple[int, memoryview]]:
    """Sequence and bytes of the log rows after a sequence.

    Raises:
        Damaged: a row is missing that no hole accounts for, the row `after` included.
    """
    cursor = rows.cursor()
    found = cursor.set_range(log_key(max(after, 1)))
    expected = max(after, 1)
    while found and cursor.key()[:2] == kind_key(KeyKind.LOG):
        sequence = sequence_of(cursor.key())
        if sequence > expected:
            expected = _after_holes(rows, expected)
        if sequence != expected:
            raise Damaged(f"log row {expected} is missing: the next one is {sequence}")
        if sequence > after:
            yield sequence, cursor.value()
        expected += 1
        found = cursor.next()
    if expected <= after:
        raise Damaged(f"log row {after} is missing: the log ends before the checkpoint")


def _after_holes(rows: Rows, expected: int) -> int:
    """The first sequence from `expected` on that is in no hole of the store's log."""
    while hole := hole_at(rows, STORE_LOG, expected):
        expected = hole.last + 1
    return expected


class Frame:
    """One frame of a row: what it says, or why it cannot be read.

    Attributes:
        shard: its shard, by the row's directory.
        pointer: where it is.
        frame: the record or marker, None when it is damaged.
        pending: whether the record waited for `apply`.
        damage: why it cannot be read.
        size: in bytes.
    """

    __slots__ = ("damage", "frame", "pending", "pointer", "shard", "size")

    def __init__(self, row: memoryview, start: int, end: int, shard: int, place: int) -> None:
        self.shard = shard
        self.pointer = place
        self.frame: StoredRecord | Marker | None = None
        self.pending = False
        self.damage = ""
        self.size = end - start
        sequence = place >> 16
        try:
            frame = decode(row, start, end, sequence)
        except Damaged as error:
            self.damage = f"shard {shard}: {error}"
            return
        if frame.shard != shard:
            self.damage = f"shard {shard}: log row {sequence}, byte {start}: shard {frame.shard}"
            return
        self.frame = frame
        self.pending = is_pending(row, start)


def frames(row: memoryview, sequence: int) -> Iterator[Frame]:
    """The frames of a row in order, but for those of which nothing is left.

    Args:
        row: the row.
        sequence: its number.

    Raises:
        Damaged: the row's directory cannot be trusted.
    """
    bounds, shards = log_directory(row, sequence)
    for i, shard in enumerate(shards):
        if bounds[i] != bounds[i + 1]:
            yield Frame(row, bounds[i], bounds[i + 1], shard, pointer(sequence, i))


def is_void(shard: int, place: int, drops: Mapping[int, Drop]) -> bool:
    """Whether a frame counts no more: its shard was dropped there, or after it."""
    drop = drops.get(shard)
    return drop is not None and place <= drop.pointer
