"""The store on disk: one LMDB table, one row a commit.

A commit writes one row, (LOG, sequence) -> all frames of the batch, in one synced transaction, and
nothing else. What follows from it goes into the youngest generation, in memory; `maintain` turns
generations into rows in the background (`checkpoint`) and makes room (`reclaim`). `open_store`
reads the checkpoint mark and replays the log rows after it (`opening`).

Background: nothing to do -> a generation is frozen -> its slices are written, the mark with the
last -> nothing to do. A slice that fails for want of space is tried again at the next call; memory
still has all of it. A shard that was dropped is swept up after in slices too (`dropping`), and is
hidden until then; memory has nothing of it, for a drop begins with a whole checkpoint.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence

import msgspec

from actorkalix_storage.api import (
    Ahead,
    Damaged,
    HomeTable,
    RecordKind,
    Snapshot,
    StoredRecord,
    StoreFull,
    StoreIdentity,
)
from actorkalix_storage.api.frames import PENDING, Marker, encode, encode_marker, with_names
from actorkalix_storage.api.keys import KeyKind, drop_key, kind_key, log_key
from actorkalix_storage.batch import Batch
from actorkalix_storage.failpoints import hit
from actorkalix_storage.movestore import MoveStore
from actorkalix_storage.tables import Subject, fits, oldest_hour

from . import dropping, reclaim, snapshots
from .aheads import Aheads
from .basis import Basis
from .checkpoint import Checkpoint, Rows, put_mark
from .compaction import Compactor, Reclaimed
from .environment import Environment
from .estimate import Estimate
from .folder import FolderLock
from .generation import Disk, Generation
from .log import frames, is_void
from .options import Options
from .rows import FRAMES_MAX, Drop, pack_drop, pack_homes, pack_log, pointer
from .scan import State
from .view import View

HOMES = kind_key(KeyKind.HOME)
READER_CHECK_MS = 60_000
_EVENT = RecordKind.EVENT


class LmdbStore(MoveStore):
    """A `Store` in a folder; made by `open_store`.

    Args:
        identity: whose store it is.
        environment: the open table.
        lock: held for this object's life.
        options: bounds.
        basis: what the rows say.
    """

    def __init__(
        self,
        identity: StoreIdentity,
        environment: Environment,
        lock: FolderLock,
        options: Options,
        basis: Basis,
    ) -> None:
        mark = basis.mark
        self._environment = environment
        self._disk = Disk(environment, identity.lineage)
        self._disk.shards.update(basis.shards)
        self._disk.copies.update(basis.copies)
        self._active = Generation(self._disk)
        super().__init__(identity, self._active)
        self._folder_lock = lock
        self._options = options
        self._generations: tuple[Generation, ...] = (self._active,)
        self._checkpoint: Checkpoint | None = None
        self._checkpointed_ms: int | None = None
        self._estimated: tuple[int, dict[int, int]] = (0, {})
        self._mark_row = mark
        self._sequence = mark.sequence  # of the last row in the log
        self._damaged.update(mark.damaged)
        self._oldest_hour = mark.oldest_hour
        self._hours = basis.hours
        self._homes = basis.homes
        self._drops = dict(basis.drops)
        self._hidden = frozenset(s for s, drop in basis.drops.items() if not drop.is_swept)
        self._stale_keys = True  # rows of hours before the oldest may exist
        self._readers_checked_ms = 0
        self._estimate = Estimate(mark.log_bytes, mark.stale)
        self._aheads = Aheads(environment)
        self._compactor = Compactor(environment, options, self._estimate)

    def recover(self, rows: Iterable[tuple[int, memoryview]]) -> None:
        """Replay the log rows after the checkpoint."""
        for sequence, row in rows:
            self._estimate.log_bytes += len(row)
            for frame in frames(row, sequence):
                if is_void(frame.shard, frame.pointer, self._drops):
                    continue
                if frame.frame is None:
                    self._damaged.setdefault(frame.shard, frame.damage)
                else:
                    self._replay(frame.frame, frame.pending, frame.pointer)
                    if isinstance(frame.frame, StoredRecord):
                        self._estimate.take(frame.frame, self._tables.heads)
            self._sequence = sequence
        self._replayed()
        for shard in self._disk.copies:
            self._show(shard)

    @property
    def environment(self) -> Environment:
        """Its table, for `backup`, which reads beside it."""
        return self._environment

    @property
    def reclaimed(self) -> Reclaimed:
        """What was reclaimed in the log since it was opened."""
        return self._compactor.reclaimed

    # ---- the medium -----------------------------------------------------------------------
    def _persist(
        self, frames: Sequence[StoredRecord | Marker], pending: bool = False, what: str = "commit"
    ) -> list[int]:
        flags = PENDING if pending else 0
        with self._environment.write(watch_space=True) as rows:
            sequence, pointers = self._put_log(rows, frames, flags)
            hit(f"{what}.before_sync")
        self._sequence = sequence
        hit(f"{what}.after_sync")
        return pointers

    def _put_log(
        self, rows: Rows, frames: Sequence[StoredRecord | Marker], flags: int = 0
    ) -> tuple[int, list[int]]:
        """Put the log rows of a commit; return the last one's sequence and where each frame is."""
        packed = [
            encode_marker(frame) if isinstance(frame, Marker) else encode(frame, flags)
            for frame in frames
        ]
        shards = [frame.shard for frame in frames]
        sequence = self._sequence
        pointers: list[int] = []
        for begin in range(0, len(packed), FRAMES_MAX):
            sequence += 1
            part = packed[begin : begin + FRAMES_MAX]
            row = pack_log(sequence, part, shards[begin : begin + FRAMES_MAX])
            rows.put(log_key(sequence), row, append=True)
            self._estimate.log_bytes += len(row)
            pointers.extend(range(pointer(sequence, 0), pointer(sequence, len(part))))
        return sequence, pointers

    def _persist_homes(self, table: HomeTable) -> None:
        with self._environment.write() as rows:
            rows.put(HOMES, pack_homes(table))
            hit("homes.before_sync")
        hit("homes.after_sync")

    def _persist_drop(self, marker: Marker) -> None:
        self.checkpoint()
        damaged = {s: why for s, why in self._damaged.items() if s != marker.shard}
        mark = msgspec.structs.replace(self._mark_row, damaged=damaged)
        with self._environment.write() as rows:
            sequence, pointers = self._put_log(rows, [marker])
            drop = Drop(pointers[0])
            rows.put(drop_key(marker.shard), pack_drop(marker.shard, drop))
            put_mark(rows, mark)
            hit("drop.before_sync")
        self._sequence, self._mark_row = sequence, mark
        self._drops[marker.shard] = drop

    def _forget(self, shard: int) -> None:
        self._hidden |= {shard}
        self._disk.shards.pop(shard, None)
        self._disk.copies.pop(shard, None)
        self._damaged.pop(shard, None)

    def _write(self, batch: Batch, what: str = "commit") -> None:
        super()._write(batch, what)
        self._aheads.committed(batch.records)
        for stored in self._frames_of(batch):
            if stored.record.kind is not _EVENT:  # an event supersedes nothing
                self._estimate.take(stored, batch.heads)

    def _frames_of(self, batch: Batch) -> Sequence[StoredRecord]:
        return with_names(batch.records, batch.named) if batch.named else batch.records

    def _index(self, records: Sequence[StoredRecord | Marker], pointers: Sequence[int]) -> None:
        self._active.index(records, pointers)

    def _source(self) -> View:
        return View(
            self._environment,
            self._generations,
            self._lock,
            self._hours,
            self._oldest_hour,
            self._hidden,
        )

    def _check_usable(self) -> None:
        self._lost = self._lost or self._environment.lost
        super()._check_usable()

    # ---- background -----------------------------------------------------------------------
    def put_snapshot(self, shard: int, component: str, entity: str, snapshot: Snapshot) -> None:
        self._check_usable()
        if shard in self._damaged:
            return
        subject = (shard, component, entity)
        with self._source() as view:
            head = view.head(subject)
            known = view.snapshot(subject, head) if head else None
        if head is None or not fits(snapshot, head):
            return
        if known is None or known.number <= snapshot.number:
            self._keep_snapshot(subject, snapshot)

    def write_ahead(self, ahead: Ahead) -> bool:
        self._check_usable()
        more = self._aheads.write(ahead, self._sequence)
        if not more:
            self._ahead[ahead.name] = ahead
        return more

    def forget_ahead(self, ahead: Ahead) -> None:
        super().forget_ahead(ahead)
        self._aheads.arrived(ahead)

    def _keep_snapshot(self, subject: Subject, snapshot: Snapshot) -> None:
        snapshots.put(self._environment, subject, snapshot)

    def maintain(self, now_ms: int) -> bool:
        self._check_usable()
        try:
            if self._checkpoint is None and self._is_checkpoint_due(now_ms):
                self._freeze()
            if self._checkpoint is not None:
                self._write_slice(self._checkpoint)
                return True
            if self._sweep() or self._aheads.tidy(self._source, self._damaged):
                return True
            if self._forget_keys(now_ms) or self._strip() or self._compact():
                return True
        except StoreFull:
            return False  # nothing is lost: memory and the log still have it
        if now_ms - self._readers_checked_ms >= READER_CHECK_MS:
            self._environment.reader_check()
            self._readers_checked_ms = now_ms
        return False

    def checkpoint(self) -> None:
        """*Writer.* Bring all tables to disk at once."""
        self._check_usable()
        while self._checkpoint is not None or self._active.is_dirty:
            if self._checkpoint is None:
                self._freeze()
            assert self._checkpoint is not None
            self._write_slice(self._checkpoint)

    def close(self) -> None:
        if self._lost == "closed":
            return
        clean = False
        try:
            if not self._environment.lost:
                with contextlib.suppress(StoreFull):  # the next open recovers from the log
                    self.checkpoint()
                    clean = True
        finally:
            self._leave(clean)

    def abandon(self) -> None:
        """Leave the folder as a kill would; the next open recovers from the log."""
        self._leave(clean=False)

    # ---- inside ---------------------------------------------------------------------------
    def _leave(self, clean: bool) -> None:
        if self._lost != "closed":
            self._lost = "closed"
            self._environment.close()
            self._folder_lock.release(clean=clean)

    def _is_checkpoint_due(self, now_ms: int) -> bool:
        if self._checkpointed_ms is None:
            self._checkpointed_ms = now_ms
        waited = now_ms - self._checkpointed_ms >= self._options.checkpoint_ms
        due = self._active.count >= self._options.checkpoint_records
        if (due or waited) and self._active.is_dirty:
            self._checkpointed_ms = now_ms
            return True
        return False

    def _freeze(self) -> None:
        """Lay an empty generation over the active one and cut that into steps."""
        frozen = self._active
        sequence = self._sequence
        for waiting in self._waiting.values():
            sequence = min(sequence, (waiting.pointers[0] >> 16) - 1)
        sequence = max(sequence, self._mark_row.sequence)
        checkpoint = Checkpoint(frozen, sequence, self._oldest_hour)
        self._estimate.settle()
        self._estimated = self._estimate.log_bytes, dict(self._estimate.stale)
        self._active = Generation(frozen)
        self._tables = self._active
        self._generations = (self._active, frozen)
        self._checkpoint = checkpoint

    def _write_slice(self, checkpoint: Checkpoint) -> None:
        log_bytes, stale = self._estimated
        row = msgspec.structs.replace(
            self._mark_row,
            sequence=checkpoint.sequence,
            damaged=dict(self._damaged),
            oldest_hour=self._oldest_hour,
            log_bytes=log_bytes,
            stale=stale,
        )
        with self._environment.write() as rows:
            count = checkpoint.write_slice(rows, self._options.slice_rows)
            last = count < self._options.slice_rows
            if last:
                put_mark(rows, row)
            hit("checkpoint.slice")
        checkpoint.advance(count)
        self._hours = tuple(sorted({*self._hours, *checkpoint.hours}))
        if last:
            self._disk.shards.update(checkpoint.generation.shards)
            self._disk.copies.update(checkpoint.generation.copies)
            self._active.below = self._disk
            self._generations = (self._active,)
            self._mark_row = row
            self._checkpoint = None

    def _sweep(self) -> bool:
        """Sweep one slice of a dropped shard; whether there was any."""
        shard = next((s for s in self._hidden if self._is_unswept(s)), None)
        if shard is None:
            return False
        drop = dropping.sweep(
            self._environment, shard, self._drops[shard], self._options.slice_rows
        )
        if drop.is_swept:
            self._drops[shard] = drop
            self._hidden -= {shard}
        return True

    def _sweep_out(self, shard: int) -> None:
        while self._is_unswept(shard):
            self._sweep()

    def _is_unswept(self, shard: int) -> bool:
        return shard in self._drops and not self._drops[shard].is_swept

    def _forget_keys(self, now_ms: int) -> bool:
        """Forget idempotency keys of one slice; whether more is waiting."""
        oldest = oldest_hour(now_ms, self._options.keys_kept_ms)
        if oldest > self._oldest_hour:
            row = msgspec.structs.replace(self._mark_row, oldest_hour=oldest)
            with self._environment.write() as rows:
                put_mark(rows, row)
            self._mark_row, self._oldest_hour, self._stale_keys = row, oldest, True
            self._hours = tuple(hour for hour in self._hours if hour >= oldest)
        if not self._stale_keys:
            return False
        slice_rows = self._options.slice_rows
        count = reclaim.forget_keys(self._environment, self._oldest_hour, slice_rows)
        self._stale_keys = count == slice_rows
        return self._stale_keys

    def _compact(self) -> bool:
        """Reclaim one slice of what is superseded; whether there was any."""
        state = State(self._mark_row, self._damaged, self._hidden, self._drops)
        mark = self._compactor.slice(state)
        self._mark_row = mark or self._mark_row
        return mark is not None

    def _strip(self) -> bool:
        """Strip one slice of a cleaned life; whether more is waiting."""
        with self._source() as view:
            life = reclaim.queued(view, self._mark_row.sequence, self._damaged)
            if life is None:
                return False
            try:
                reclaim.strip(self._environment, view, life)
            except Damaged as error:
                self._damaged[life[0]] = str(error)
        return True
