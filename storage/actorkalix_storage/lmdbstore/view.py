"""A view: the generations in memory and one short read transaction, asked together.

A view lives for one call. When a walk takes long it renews its transaction every few hundred
reads, so none outlives 50 ms; nothing it hands out refers to the map.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

import lmdb
import msgspec

from actorkalix_storage.api import (
    Damaged,
    Due,
    Head,
    Position,
    Snapshot,
    StoredRecord,
    TimerKind,
)
from actorkalix_storage.api.frames import Marker, MarkerKind, NamedRecord, decode
from actorkalix_storage.api.keys import (
    KeyKind,
    component_key,
    head_key,
    hour_key,
    kind_key,
    log_key,
    subject_of,
    timer_of,
    timers_key,
)
from actorkalix_storage.batch import impossible_id
from actorkalix_storage.tables import Subject

from . import aheads, snapshots
from .environment import Environment
from .rows import (
    Hole,
    frame_bounds,
    frame_count,
    key_hash,
    unpack_head,
    unpack_place,
)
from .shardlog import Index, hole_at

if TYPE_CHECKING:
    from .generation import Generation

TIMERS_READ = 64  # at a time: most who ask take a page of them
READS_MAX = 256  # in one transaction; each copies one record at most


class View:
    """A `reading.Source`; use it as a context manager.

    Args:
        environment: where the rows are.
        layers: generations, newest first, taken before this call.
        lock: the owner's, for walks through a generation.
        hours: hours of which idempotency rows exist.
        oldest_hour: the first hour of which keys count.
        hidden: shards of which nothing is shown.
    """

    def __init__(
        self,
        environment: Environment,
        layers: Sequence[Generation],
        lock: threading.Lock,
        hours: Sequence[int],
        oldest_hour: int,
        hidden: frozenset[int],
    ) -> None:
        self._environment = environment
        self.layers = layers
        self.lock = lock
        self.hidden = hidden
        self._hours = hours
        self._oldest_hour = oldest_hour
        self._transaction: lmdb.Transaction[memoryview] | None = None
        self._index: Index | None = None
        self._reads = 0

    def __enter__(self) -> View:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()
        if isinstance(error, lmdb.Error):
            raise Damaged(f"the table cannot be read: {error}") from error

    # ---- questions ------------------------------------------------------------------------
    def head(self, subject: Subject) -> Head | None:
        if subject[0] in self.hidden:
            return None
        for layer in self.layers:
            if subject in layer.heads:
                return layer.heads[subject]
        if impossible_id(subject[1], subject[2]):
            return None
        row = self.rows().get(head_key(*subject))
        return None if row is None else unpack_head(row)

    def at(self, shard: int, offset: int) -> StoredRecord | None:
        frame = self._frame(shard, offset)
        if isinstance(frame, NamedRecord):
            return self._whole(frame)
        return None if isinstance(frame, Marker) else frame

    def bare(self, shard: int, offset: int) -> StoredRecord | None:
        frame = self._frame(shard, offset)
        return None if isinstance(frame, Marker) else frame

    def name_at(self, shard: int, offset: int) -> bytes:
        """The name of the state at an offset, b"" where it stands in its record."""
        frame = self._frame(shard, offset)
        return frame.record.payload if isinstance(frame, NamedRecord) else b""

    def _whole(self, named: NamedRecord) -> StoredRecord | None:
        """A record with the state that it names, or None where that was superseded and is gone."""
        record = named.record
        subject = (named.shard, record.component, record.entity)
        try:
            payload = aheads.read(self.rows(), subject, record.payload)
        except Damaged:
            head = self.head(subject)
            of_life = head is not None and head.incarnation == named.incarnation
            if of_life and head is not None and head.state_offset <= named.position.offset:
                raise
            return None
        record = msgspec.structs.replace(record, payload=payload)
        return StoredRecord(
            *(named.shard, named.position, named.previous, named.version, named.incarnation),
            record,
        )

    def place(self, shard: int, offset: int) -> Position:
        position = self._frame(shard, offset).position
        return Position(position.lineage, position.epoch, offset)

    def gap_end(self, shard: int, offset: int) -> int:
        return self._frame(shard, offset).position.offset

    def _frame(self, shard: int, offset: int) -> StoredRecord | Marker:
        pointer = self.pointer(shard, offset)
        row = self.rows().get(log_key(pointer >> 16)) if pointer else None
        start, end = _bounds(row, pointer & 0xFFFF) if row is not None else (0, 0)
        if row is None or start == end:  # reclaimed, maybe since the generations were taken
            hole = self._hole(shard, offset)
            if hole is None:
                raise Damaged(f"shard {shard}, offset {offset}: no record")
            return Marker(MarkerKind.GAP, shard, hole.position, after=hole.first - 1)
        frame = decode(row, start, end, pointer >> 16)
        last = frame.position.offset
        first = frame.first if isinstance(frame, Marker) else last
        if frame.shard != shard or not first <= offset <= last:
            place = f"shard {frame.shard}, offset {last}"
            raise Damaged(f"shard {shard}, offset {offset}: the index leads to {place}")
        return frame

    def pointer(self, shard: int, offset: int) -> int:
        """Where a record is, or 0 for nowhere."""
        for layer in self.layers:
            pointer = layer.pointer(shard, offset)
            if pointer:
                return pointer
        rows = self.rows()
        if self._index is None:
            self._index = Index(rows)
        return self._index.pointer(shard, offset)

    def _hole(self, shard: int, offset: int) -> Hole | None:
        for layer in self.layers:
            hole = layer.hole(shard, offset)
            if hole:
                return hole
        return hole_at(self.rows(), shard, offset)

    def keyed(self, subject: Subject, key: bytes) -> int:
        for layer in self.layers:
            if (subject, key) in layer.keys:
                hour, offset = layer.keys[(subject, key)]
                return offset if hour >= self._oldest_hour else 0
        rows, row_hash = self.rows(), key_hash(subject, key)
        newest = 0
        for hour in self._hours:
            row = rows.get(hour_key(hour) + row_hash)
            if row is not None and hour >= self._oldest_hour:
                shard, offset = unpack_place(row)
                newest = max(newest, offset if shard == subject[0] else 0)
        return newest

    def snapshot(self, subject: Subject, head: Head) -> Snapshot | None:
        return snapshots.newest(self.rows(), subject, head)

    def subject_rows(self, component: str, after: tuple[int, str]) -> Iterator[tuple[int, str]]:
        if impossible_id(component, "-"):
            return
        shard, entity = (0, "") if after[0] < 0 else after
        key = component_key(shard, component) + entity.encode()
        while True:
            cursor = self.rows().cursor()
            if not cursor.set_range(key) or cursor.key()[:2] != kind_key(KeyKind.HEAD):
                return
            found = subject_of(cursor.key())
            if found[0] in self.hidden:
                key = component_key(found[0] + 1, component)
            elif found[1] == component:
                if (found[0], found[2]) > after:
                    yield found[0], found[2]
                key = bytes(cursor.key()) + b"\0"
            elif component_key(found[0], component) > bytes(cursor.key()):
                key = component_key(found[0], component)
            else:
                key = component_key(found[0] + 1, component)

    def timer_rows(self, kind: TimerKind, up_to_ms: int) -> Iterator[Due]:
        key = timers_key(kind)
        prefix = key[:3]
        while True:
            cursor = self.rows().cursor()
            found = cursor.set_range(key)
            part: list[Due] = []
            while found and len(part) < TIMERS_READ:
                key = bytes(cursor.key())
                found = key[:3] == prefix
                if found:
                    _, at_ms, shard, component, entity = timer_of(key)
                    part.append(Due(kind, at_ms, shard, component, entity))
                    found = at_ms <= up_to_ms and cursor.next()
            yield from (d for d in part if d.at_ms <= up_to_ms and d.shard not in self.hidden)
            if not found:
                return
            key += b"\0"

    # ---- the transaction ------------------------------------------------------------------
    def rows(self) -> lmdb.Transaction[memoryview]:
        """The read transaction, begun now or lately; use it before anything else is asked."""
        self._reads += 1
        if self._reads > READS_MAX:
            self.end()
        if self._transaction is None:
            self._transaction = self._environment.read()
        return self._transaction

    def end(self) -> None:
        """End the transaction; the next question begins another."""
        self._index = None
        self._reads = 0
        if self._transaction is not None:
            with contextlib.suppress(lmdb.Error):
                self._transaction.abort()
            self._transaction = None


def _bounds(row: memoryview, ordinal: int) -> tuple[int, int]:
    """Start and end of a frame; where the row ends before it, nothing is left of it."""
    if ordinal >= frame_count(row):
        return 0, 0
    return frame_bounds(row, ordinal)
