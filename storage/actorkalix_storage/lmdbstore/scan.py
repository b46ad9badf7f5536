"""What of the log may be reclaimed: looking at a segment of it, for `compaction`."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Mapping
from typing import NamedTuple, TypeAlias

import lmdb

from actorkalix_storage.api import Damaged, Head, Position, RecordKind, StoredRecord
from actorkalix_storage.api.frames import Marker, MarkerKind
from actorkalix_storage.api.keys import KeyKind, head_key, kind_key, log_key, sequence_of
from actorkalix_storage.tables import HOUR_MS, Subject

from .log import Frame, frames, is_void
from .reclaim import ROW_BYTES_OF_SLICE
from .rows import CheckpointRow, Drop, frame_count, unpack_head
from .shardlog import Index

Rows: TypeAlias = "lmdb.Transaction[memoryview]"

_SUPERSEDED = (RecordKind.STATE, RecordKind.REPLY)
_TRIMMED = (RecordKind.EVENT, RecordKind.REPLY, RecordKind.TRIMMED)
_REMOVED = (MarkerKind.REMOVED, MarkerKind.GAP)


class State(NamedTuple):
    """What the store knows when a slice begins.

    Attributes:
        mark: the checkpoint's row.
        damaged, hidden: shards to leave alone.
        drops: of all shards that were ever dropped.
    """

    mark: CheckpointRow
    damaged: Container[int]
    hidden: Container[int]
    drops: Mapping[int, Drop]


class Pass:
    """How far a pass has come.

    Attributes:
        next, end: log rows: the one to look at next, the last one.
        stale: what could not go yet, as in an `Estimate`.
        is_scanning: the segment is still being looked at.
        frames: of the segment so far.
        gone: shard -> pointer and position of the offsets that become holes, in order.
        heads: subject -> its head, for what was looked at in this segment.
        kept: subject -> hour of the key that holds up what is younger.
        passed: subject -> offset of its newest record that goes.
        rows: log row -> ordinals of which nothing is to be left.
        shrunk: log row -> ordinals that lose their payload alone; `rows` has the row as well.
    """

    def __init__(self, begin: int, end: int) -> None:
        self.next, self.end = begin, end
        self.stale: dict[int, int] = {}
        self.begin_segment()

    def begin_segment(self) -> None:
        """Forget the last segment."""
        self.is_scanning = True
        self.frames = 0
        self.gone: dict[int, list[tuple[int, Position]]] = {}
        self.heads: dict[Subject, Head | None] = {}
        self.kept: dict[Subject, int] = {}
        self.passed: dict[Subject, int] = {}
        self.rows: dict[int, set[int]] = {}
        self.shrunk: dict[int, set[int]] = {}

    @property
    def is_over(self) -> bool:
        """Nothing is left to do."""
        return self.is_scanning and self.next > self.end and self.frames == 0

    def leave_nothing(self, place: int) -> None:
        """A frame is to go from its row."""
        self.rows.setdefault(place >> 16, set()).add(place & 0xFFFF)

    def leave_key(self, place: int) -> None:
        """A frame is to lose its payload."""
        self.rows.setdefault(place >> 16, set())
        self.shrunk.setdefault(place >> 16, set()).add(place & 0xFFFF)


class Scan:
    """A slice of looking at frames."""

    def __init__(self, walk: Pass, rows: Rows, state: State) -> None:
        self._walk = walk
        self._rows = rows
        self._state = state
        self._index = Index(rows)

    def run(self, steps_max: int, frames_max: int) -> bool:
        """Look at so many frames; whether the segment ends with them."""
        walk, steps, size = self._walk, 0, 0
        cursor = self._rows.cursor()
        found = cursor.set_range(log_key(walk.next))
        while steps < steps_max and size < ROW_BYTES_OF_SLICE and walk.frames < frames_max:
            if not found or cursor.key()[:2] != kind_key(KeyKind.LOG):
                break
            sequence = sequence_of(cursor.key())
            if sequence > walk.end:
                break
            row = cursor.value()
            count = self._look(row, sequence)
            steps, size = steps + count, size + len(row)
            walk.frames += count
            walk.next = sequence + 1
            found = cursor.next()
        else:
            return walk.frames >= frames_max
        walk.next = walk.end + 1
        return True

    def _look(self, row: memoryview, sequence: int) -> int:
        """Look at a row; what cannot be read is left for `verify` to name."""
        is_empty = True
        with contextlib.suppress(Damaged):
            for frame in frames(row, sequence):
                is_empty = False
                with contextlib.suppress(Damaged):
                    self._judge(frame)
            if is_empty:
                self._walk.rows[sequence] = set()
        return frame_count(row)

    def _judge(self, frame: Frame) -> None:
        """Say of a frame whether it goes, with a hole in its place or without one."""
        shard, place, found = frame.shard, frame.pointer, frame.frame
        if found is None or shard in self._state.damaged or shard in self._state.hidden:
            return
        if is_void(shard, place, self._state.drops):
            if place < self._state.drops[shard].pointer:
                self._walk.leave_nothing(place)
            return
        if frame.pending:
            return
        if isinstance(found, Marker):
            if found.kind in _REMOVED:
                self._goes(frame, found.position)
        elif self._is_unneeded(found) and self._may_go(found, frame):
            subject = (shard, found.record.component, found.record.entity)
            if self._goes(frame, found.position):
                self._walk.passed[subject] = found.position.offset

    def _is_unneeded(self, stored: StoredRecord) -> bool:
        """Whether a state or reply is superseded, or a record trimmed."""
        record, offset = stored.record, stored.position.offset
        head = self._head((stored.shard, record.component, record.entity))
        if head is None or head.incarnation != stored.incarnation:
            return False
        if record.kind in _SUPERSEDED and offset < head.state_offset:
            return True
        return record.kind in _TRIMMED and offset <= head.trimmed

    def _may_go(self, stored: StoredRecord, frame: Frame) -> bool:
        """Whether nobody asks for an unneeded record's key, and nothing older of its entity stays.

        Where it must stay, the payload of an event goes all the same: the key alone counts.
        """
        walk, record = self._walk, stored.record
        subject, size = (stored.shard, record.component, record.entity), frame.size
        hour = record.time_ms // HOUR_MS
        if record.key and hour >= self._state.mark.oldest_hour:
            walk.kept[subject] = hour
        if subject in walk.kept:
            held_up = walk.kept[subject]
            if record.kind is RecordKind.EVENT and record.payload:
                size -= len(record.payload)
                if self._index.pointer(stored.shard, stored.position.offset) == frame.pointer:
                    walk.leave_key(frame.pointer)
            walk.stale[held_up] = walk.stale.get(held_up, 0) + size
            return False
        previous = stored.previous[1]
        return (
            stored.version == 1
            or walk.passed.get(subject) == previous
            or self._index.hole(stored.shard, previous) is not None
        )

    def _goes(self, frame: Frame, position: Position) -> bool:
        """Note what goes; False where the index does not know it."""
        shard, offset = frame.shard, position.offset
        if self._index.pointer(shard, offset) == frame.pointer:
            self._walk.gone.setdefault(shard, []).append((frame.pointer, position))
        elif self._index.hole(shard, offset) is not None:  # made before a crash, or by a copy
            self._walk.leave_nothing(frame.pointer)
        else:
            return False
        return True

    def _head(self, subject: Subject) -> Head | None:
        """The head on disk, as it was when the segment first asked for it: it only moves on."""
        heads = self._walk.heads
        if subject not in heads:
            row = self._rows.get(head_key(*subject))
            heads[subject] = None if row is None else unpack_head(row)
        return heads[subject]
