"""A full check: fold the whole log again and compare every table on disk with the result.

The tables on disk are those at the checkpoint mark; of a checkpoint that did not end, some are
newer. So what the log after the mark touches may differ and is only looked at for being readable;
everything else must be equal. Frames that are void, because their shard was dropped after them, are
only looked at for being readable too, and so are the rows of a shard that is not swept away yet.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NoReturn, TypeAlias

import lmdb

from actorkalix_storage.api import Damaged, RecordKind, Snapshot, StoredRecord, StoreIdentity
from actorkalix_storage.api.frames import Marker, MarkerKind
from actorkalix_storage.api.keys import (
    KeyKind,
    hour_key,
    kind_key,
    log_key,
    piece_of,
    shard_of,
    shard_offset_of,
    subject_of,
)
from actorkalix_storage.api.keys import (
    timer_of as timer_row_of,
)
from actorkalix_storage.logstore import LogStore
from actorkalix_storage.reading import Source
from actorkalix_storage.tables import Layer, NoTables, Subject

from . import snapshots
from .checkpoint import CHECKPOINT, get_mark
from .child import DAMAGES_MAX, Findings
from .log import Frame, frames, is_void, log_rows
from .opening import homes_of, read_drops
from .rows import (
    Drop,
    key_hash,
    unpack_head,
    unpack_place,
    unpack_pointers,
    unpack_shard,
    unpack_source,
)

Rows: TypeAlias = "lmdb.Transaction[memoryview]"


class Report:
    """Findings as they come."""

    def __init__(self) -> None:
        self.rows = 0
        self.records = 0
        self.shards = 0
        self.fatal = False
        self._damages: list[str] = []

    def add(self, damage: str, *, fatal: bool = False) -> None:
        self.fatal = self.fatal or fatal
        if len(self._damages) < DAMAGES_MAX:
            self._damages.append(damage)

    def findings(self) -> Findings:
        damages = tuple(self._damages)
        return Findings(
            ok=not damages,
            fatal=self.fatal,
            records=self.records,
            rows=self.rows,
            shards=self.shards,
            first=damages[0] if damages else "",
            damages=damages,
        )


def verify_rows(rows: Rows, report: Report) -> None:
    """Check all rows of a store."""
    mark = get_mark(rows.get(CHECKPOINT))
    homes_of(rows)
    drops = read_drops(rows)
    fold = Fold(report, drops)
    for sequence, row in log_rows(rows, 0):
        report.rows += 1
        _check_found(rows, log_key(sequence), report)
        fold.is_tail = sequence > mark.sequence
        try:
            for frame in frames(row, sequence, drops):
                report.records += 1
                fold.take(frame)
        except Damaged as error:
            report.add(str(error), fatal=True)
    report.shards = len(fold.tables.shards)
    for check in (_verify_drops, _verify_shards, _verify_chunks, _verify_heads, _verify_timers):
        check(rows, fold, report)
    _verify_keys(rows, fold, report, mark.oldest_hour)
    _verify_snapshots(rows, report)


class Fold(LogStore):
    """The log folded into memory; it can only replay.

    Args:
        report: takes what is found.
        drops: of all shards that were ever dropped.

    Attributes:
        drops: the same.
        unswept: shards whose rows on disk are of before their drop.
        dropped: shard -> where its last `DROPPED` marker is.
        is_tail: the present row is after the checkpoint mark.
        touched: shards and subjects of the tail.
        pointers: shard -> where each of its records is.
    """

    def __init__(self, report: Report, drops: Mapping[int, Drop]) -> None:
        super().__init__(StoreIdentity("", "", 0, 0, 0), Layer(NoTables(0)))
        self._report = report
        self.drops = drops
        self.unswept = {shard for shard, drop in drops.items() if not drop.is_swept}
        self.dropped: dict[int, int] = {}
        self.is_tail = False
        self.touched: set[int | Subject] = set()
        self.pointers: dict[int, array[int]] = {}

    @property
    def tables(self) -> Layer:
        return self._tables

    def take(self, frame: Frame) -> None:
        """Replay one frame and report what is wrong with it."""
        if frame.frame is None:
            self._report.add(frame.damage)
        is_drop = isinstance(frame.frame, Marker) and frame.frame.kind is MarkerKind.DROPPED
        if is_drop:
            self.dropped[frame.shard] = frame.pointer
        if is_drop or is_void(frame.shard, frame.pointer, self.drops):
            return
        if frame.frame is None:
            self._damaged.setdefault(frame.shard, frame.damage)
            return
        if self.is_tail and isinstance(frame.frame, Marker):
            self.touched.add(frame.shard)
        was_damaged = frame.shard in self._damaged
        self._replay(frame.frame, frame.pending, frame.pointer)
        if frame.shard in self._damaged and not was_damaged:
            self._report.add(self._damaged[frame.shard])

    def _index(self, records: Sequence[StoredRecord | Marker], pointers: Sequence[int]) -> None:
        for stored, pointer in zip(records, pointers, strict=True):
            first = stored.first if isinstance(stored, Marker) else stored.position.offset
            count = stored.position.offset - first + 1
            self.pointers.setdefault(stored.shard, array("Q")).extend([pointer] * count)
            if self.is_tail:
                self.touched.add(stored.shard)
            if isinstance(stored, StoredRecord) and stored.record.kind is not RecordKind.EPOCH:
                self._follow(stored)

    def _follow(self, stored: StoredRecord) -> None:
        record = stored.record
        subject = (stored.shard, record.component, record.entity)
        if self.is_tail:
            self.touched.add(subject)
        head = self._tables.head(subject)
        if record.kind is RecordKind.CLEANED:
            return  # what was before it may have been stripped
        version, previous = (head.version, (head.epoch, head.offset)) if head else (0, (0, 0))
        incarnation = head.incarnation if head else stored.position.offset
        if (stored.version, stored.previous, stored.incarnation) != (
            version + 1,
            previous,
            incarnation,
        ):
            self._report.add(
                f"shard {stored.shard}, offset {stored.position.offset}: version {stored.version} "
                f"of {record.component}/{record.entity} does not follow version {version}"
            )

    # A fold is no store: nothing is written or read through it.
    def _persist(
        self, frames: Sequence[StoredRecord | Marker], pending: bool = False, what: str = ""
    ) -> NoReturn:
        raise AssertionError("a fold only replays")

    def _source(self) -> AbstractContextManager[Source]:
        raise AssertionError("a fold only replays")

    def _forget(self, shard: int) -> NoReturn:
        raise AssertionError("what is void is not replayed")

    def _sweep_out(self, shard: int) -> NoReturn:
        raise AssertionError("a fold only replays")

    def put_snapshot(self, shard: int, component: str, entity: str, snapshot: Snapshot) -> None:
        raise AssertionError("a fold only replays")

    def maintain(self, now_ms: int) -> NoReturn:
        raise AssertionError("a fold only replays")

    def close(self) -> None:
        raise AssertionError("a fold only replays")


def _of_kind(rows: Rows, kind: KeyKind, report: Report) -> Iterator[tuple[memoryview, memoryview]]:
    cursor = rows.cursor()
    found = cursor.set_range(kind_key(kind))
    while found and cursor.key()[:2] == kind_key(kind):
        report.rows += 1
        _check_found(rows, bytes(cursor.key()), report)
        try:
            yield cursor.item()
        except GeneratorExit:
            return
        found = cursor.next()


def _check_found(rows: Rows, key: bytes, report: Report) -> None:
    """Look a row up that a walk has come by: with a wrong key above it, it would count as none."""
    if rows.get(key) is None:
        name = KeyKind(int.from_bytes(key[:2], "big")).name
        report.add(f"a row of kind {name} is there, and its key does not lead to it", fatal=True)


def _verify_drops(rows: Rows, fold: Fold, report: Report) -> None:
    report.rows += len(fold.drops)
    for shard in fold.drops.keys() | fold.dropped.keys():
        drop = fold.drops.get(shard, Drop(0))
        place = fold.dropped.get(shard, 0)
        if drop.pointer != place:
            report.add(
                f"shard {shard}: dropped at {place} by the log, at {drop.pointer} by its row"
            )


def _verify_shards(rows: Rows, fold: Fold, report: Report) -> None:
    seen: set[int] = set()
    for key, row in _of_kind(rows, KeyKind.SHARD, report):
        shard = shard_of(key)
        seen.add(shard)
        try:
            state, source = unpack_shard(row), unpack_source(row)
        except Damaged as error:
            report.add(f"shard {shard}: {error}")
            continue
        if shard in fold.unswept:
            continue
        folded = fold.tables.state(shard)
        ahead = state.position.offset > folded.position.offset
        equal = state.position == folded.position and state.sealed == folded.sealed
        if source != fold.tables.source(shard):
            report.add(f"shard {shard}: its row says it is a copy of {source}, its log not")
        if ahead or (shard not in fold.touched and not equal):
            report.add(f"shard {shard}: its row says {state}, its log {folded}")
    for shard in fold.tables.shards.keys() - seen - fold.touched:
        report.add(f"shard {shard}: its row is missing")


def _verify_chunks(rows: Rows, fold: Fold, report: Report) -> None:
    covered: dict[int, int] = {}
    for key, row in _of_kind(rows, KeyKind.SHARD_LOG, report):
        shard, first = shard_offset_of(key)
        pointers = fold.pointers.get(shard, array("Q"))
        try:
            held = unpack_pointers(row)
        except Damaged as error:
            report.add(f"shard {shard}, offset {first}: {error}")
            continue
        if shard not in fold.unswept and (
            first != covered.get(shard, 0) + 1
            or list(held) != pointers[first - 1 :][: len(held)].tolist()
        ):
            report.add(f"shard {shard}: its index from offset {first} on does not match the log")
        covered[shard] = first + len(held) - 1
    for shard, pointers in fold.pointers.items():
        if shard not in fold.touched and covered.get(shard, 0) != len(pointers):
            report.add(
                f"shard {shard}: its index ends at {covered.get(shard, 0)} of {len(pointers)}"
            )


def _verify_heads(rows: Rows, fold: Fold, report: Report) -> None:
    left = {s for s, head in fold.tables.heads.items() if head} - fold.touched
    for key, row in _of_kind(rows, KeyKind.HEAD, report):
        try:
            subject, head = subject_of(key), unpack_head(row)
        except Damaged as error:
            report.add(f"a head cannot be read: {error}")
            continue
        left.discard(subject)
        is_judged = subject not in fold.touched and subject[0] not in fold.unswept
        if is_judged and fold.tables.heads.get(subject) != head:
            report.add(
                f"shard {subject[0]}: the head of {subject[1]}/{subject[2]} is not the log's"
            )
    for shard, component, entity in left:
        report.add(f"shard {shard}: the head of {component}/{entity} is missing")


def _verify_timers(rows: Rows, fold: Fold, report: Report) -> None:
    left = {
        (*timer, *subject)
        for subject, timer in fold.tables.timers.of.items()
        if subject not in fold.touched
    }
    for key, _ in _of_kind(rows, KeyKind.TIMER, report):
        try:
            kind, at_ms, *subject = timer_row_of(key)
        except Damaged as error:
            report.add(f"a timer cannot be read: {error}")
            continue
        found = (kind, at_ms, *subject)
        if found in left:
            left.discard(found)
        elif tuple(subject) not in fold.touched and subject[0] not in fold.unswept:
            report.add(f"shard {subject[0]}: a timer of {subject[1]}/{subject[2]} without a cause")
    for _, _, shard, component, entity in left:
        report.add(f"shard {shard}: the timer of {component}/{entity} is missing")


def _verify_keys(rows: Rows, fold: Fold, report: Report, oldest_hour: int) -> None:
    left = {
        hour_key(hour) + key_hash(subject, key): (subject[0], offset)
        for (subject, key), (hour, offset) in fold.tables.keys.items()
        if hour >= oldest_hour and subject not in fold.touched
    }
    for key, row in _of_kind(rows, KeyKind.IDEMPOTENCY, report):
        try:
            shard, offset = unpack_place(row)
        except Damaged as error:
            report.add(str(error))
            continue
        expected = left.pop(bytes(key), None)
        # What a dropped shard has left of a row that led nowhere is harmless until its hour passes.
        beyond = shard not in fold.drops and not 1 <= offset <= len(fold.pointers.get(shard, ()))
        if beyond or expected not in (None, (shard, offset)):
            report.add(f"shard {shard}, offset {offset}: an idempotency key leads there wrongly")
    for shard, offset in left.values():
        report.add(f"shard {shard}, offset {offset}: its idempotency key is missing")


def _verify_snapshots(rows: Rows, report: Report) -> None:
    for key, _ in _of_kind(rows, KeyKind.SNAPSHOT, report):
        number, piece = piece_of(key)
        if piece == 0:
            try:
                snapshots.read(rows, bytes(key[:-10]), number)
            except Damaged as error:
                report.add(f"shard {int.from_bytes(key[2:4], 'big')}: {error}")
