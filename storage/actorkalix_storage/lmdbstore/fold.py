"""The log folded into memory, for `verification`, and what was found on the way."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NoReturn

from actorkalix_storage.api import RecordKind, Snapshot, StoredRecord, StoreIdentity
from actorkalix_storage.api.frames import Marker, MarkerKind, NamedRecord
from actorkalix_storage.logstore import LogStore
from actorkalix_storage.reading import Source
from actorkalix_storage.tables import Layer, NoTables, Subject

from .child import DAMAGES_MAX, Findings
from .log import Frame, is_void
from .rows import Drop, Hole

_PLACED = (MarkerKind.REMOVED, MarkerKind.GAP)


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


class Fold(LogStore):
    """The log folded into memory; it can only replay.

    Args:
        report: takes what is found.
        drops: of all shards that were ever dropped.
        holes: shard -> first offset -> hole, on disk.

    Attributes:
        drops: the same.
        on_disk: the holes.
        unswept: shards whose rows on disk are of before their drop.
        dropped: shard -> where its last `DROPPED` marker is.
        is_tail: the present row is after the checkpoint mark.
        touched: shards and subjects of the tail.
        pointers: shard -> where each of its records is, in order, without what is in holes.
        holes: shard -> holes that have been passed, in order.
        begun_late: subject -> incarnation whose first records have been reclaimed.
        named: subject -> offset of its newest state that was written ahead, and its name.
    """

    def __init__(
        self,
        report: Report,
        drops: Mapping[int, Drop],
        holes: Mapping[int, Mapping[int, Hole]],
    ) -> None:
        super().__init__(StoreIdentity("", "", 0, 0, 0), Layer(NoTables(0)))
        self._report = report
        self.drops = drops
        self.unswept = {shard for shard, drop in drops.items() if not drop.is_swept}
        self.dropped: dict[int, int] = {}
        self.is_tail = False
        self.touched: set[int | Subject] = set()
        self.pointers: dict[int, array[int]] = {}
        self.holes: dict[int, list[Hole]] = {}
        self.begun_late: dict[Subject, int] = {}
        self.named: dict[Subject, tuple[int, bytes]] = {}
        self.on_disk = holes
        self._firsts = {shard: sorted(of_shard) for shard, of_shard in holes.items()}

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
        if not self.is_tail and not frame.pending and self._is_reclaimed(frame.frame):
            return
        was_damaged = frame.shard in self._damaged
        self._replay(frame.frame, frame.pending, frame.pointer)
        if frame.shard in self._damaged and not was_damaged:
            self._report.add(self._damaged[frame.shard])

    def end(self) -> None:
        """The log is over; a shard may end in a hole."""
        for shard in self.on_disk.keys() - self.unswept:
            self._pass_holes(shard)
        for (shard, component, entity), incarnation in self.begun_late.items():
            head = self._tables.head((shard, component, entity))
            is_cut = head and (head.state_offset or head.trimmed)
            if head and head.incarnation == incarnation and not is_cut:
                self._report.add(
                    f"shard {shard}: the first records of {component}/{entity} are missing"
                )

    def _is_reclaimed(self, frame: StoredRecord | Marker) -> bool:
        """Whether a frame counts no more: a hole stands where it has its place."""
        if isinstance(frame, Marker) and frame.kind not in _PLACED:
            return False
        firsts, offset = self._firsts.get(frame.shard, []), frame.position.offset
        at = bisect_right(firsts, offset)
        return at > 0 and offset <= self.on_disk[frame.shard][firsts[at - 1]].last

    def _take(self, frame: StoredRecord | Marker, pointer: int) -> None:
        self._pass_holes(frame.shard)
        super()._take(frame, pointer)

    def _pass_holes(self, shard: int) -> None:
        """Move the shard on over the hole that begins behind its newest offset."""
        of_shard = self.on_disk.get(shard, {})
        while of_shard and shard not in self._damaged:
            known = self.applied(shard).offset
            hole = of_shard.get(known + 1)
            if hole is None:
                return
            gap = Marker(MarkerKind.GAP, shard, hole.position, after=known)
            super()._take(gap, 0)

    def _index(self, records: Sequence[StoredRecord | Marker], pointers: Sequence[int]) -> None:
        for stored, pointer in zip(records, pointers, strict=True):
            if isinstance(stored, Marker) and stored.kind is MarkerKind.GAP:
                self.holes.setdefault(stored.shard, []).append(Hole(stored.first, stored.position))
            else:
                self.pointers.setdefault(stored.shard, array("Q")).append(pointer)
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
        if isinstance(stored, NamedRecord):
            self.named[subject] = (stored.position.offset, record.payload)
        if record.kind is RecordKind.CLEANED:
            return  # what was before it may have been stripped
        version, previous = (head.version, (head.epoch, head.offset)) if head else (0, (0, 0))
        incarnation = head.incarnation if head else stored.position.offset
        if head is None and self.is_in_hole(stored.shard, stored.previous[1], stored.incarnation):
            self.begun_late[subject] = stored.incarnation
            return
        if (stored.version, stored.previous, stored.incarnation) != (
            version + 1,
            previous,
            incarnation,
        ):
            self._report.add(
                f"shard {stored.shard}, offset {stored.position.offset}: version {stored.version} "
                f"of {record.component}/{record.entity} does not follow version {version}"
            )

    def is_in_hole(self, shard: int, *offsets: int) -> bool:
        """Whether each of the offsets is in a hole that has been passed."""
        holes = self.holes.get(shard, [])
        found = (bisect_right(holes, offset, key=_first) for offset in offsets)
        return all(
            at > 0 and offset <= holes[at - 1].last
            for at, offset in zip(found, offsets, strict=True)
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


def _first(hole: Hole) -> int:
    return hole.first
