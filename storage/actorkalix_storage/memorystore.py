"""A store in memory, for tests, the test kit and the simulator.

Its journal stands for a disk: what `commit` returned is in it, and `crash` builds a new store from
the journal alone, exactly as a store on disk does after a kill. Tables and index are dictionaries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext

from .api import (
    AHEAD_BYTES,
    Ahead,
    Due,
    DurabilityLost,
    Head,
    HomeTable,
    Position,
    Snapshot,
    StoredRecord,
    StoreError,
    StoreIdentity,
    TimerKind,
)
from .api.frames import Marker, MarkerKind
from .movestore import MoveStore
from .tables import KEYS_KEPT_MS, Layer, NoTables, Subject, fits, oldest_hour


class MemoryStore(MoveStore):
    """A `Store` without a disk.

    Args:
        identity: whose store it is.
        keys_kept_ms: how long idempotency keys are remembered, in whole hours of record time.
    """

    def __init__(self, identity: StoreIdentity, *, keys_kept_ms: int = KEYS_KEPT_MS) -> None:
        super().__init__(identity, Layer(NoTables(identity.lineage)))
        self._keys_kept_ms = keys_kept_ms
        self._journal: list[tuple[StoredRecord | Marker, bool]] = []
        self._log: dict[int, list[StoredRecord | Marker]] = {}
        self._snapshots: dict[Subject, Snapshot] = {}
        self._oldest_hour = 0
        self._began = 0  # states that were written ahead
        self._void = False  # frames before a DROPPED marker are in the journal
        self._fault: tuple[StoreError, bool] | None = None

    # ---- simulation -----------------------------------------------------------------------
    def fail_next_commit(self, error: StoreError | None, *, stored: bool = False) -> None:
        """Let the next write raise `error`; `stored`: it reaches the journal nevertheless.

        None takes that back: a batch of refused appends alone writes nothing.
        """
        self._fault = None if error is None else (error, stored)

    def crash(self) -> MemoryStore:
        """Lose everything but the journal; return the store that recovery finds."""
        self._lost = "closed"
        store = MemoryStore(self._identity, keys_kept_ms=self._keys_kept_ms)
        store._journal = self._journal
        store._oldest_hour = self._oldest_hour
        store._homes = self._homes
        for frame, pending in self._journal:
            store._replay(frame, pending, 0)
        store._replayed()
        store._snapshots = dict(self._snapshots)
        store._strip()
        return store

    # ---- the medium -----------------------------------------------------------------------
    def _persist(
        self, frames: Sequence[StoredRecord | Marker], pending: bool = False, what: str = "commit"
    ) -> list[int]:
        self._store(lambda: self._journal.extend((frame, pending) for frame in frames))
        return [0] * len(frames)

    def write_ahead(self, ahead: Ahead) -> bool:
        self._check_usable()
        if not ahead.number:
            self._began += 1
            ahead.number = self._began
        if ahead.advance(min(ahead.written + AHEAD_BYTES, len(ahead.payload))):
            return True
        self._ahead[ahead.name] = ahead
        return False

    def _persist_homes(self, table: HomeTable) -> None:
        def keep() -> None:
            self._homes = table

        self._store(keep)

    def _persist_drop(self, marker: Marker) -> None:
        self._persist([marker], what="drop")

    def _keep_snapshot(self, subject: Subject, snapshot: Snapshot) -> None:
        self._snapshots[subject] = snapshot

    def _store(self, keep: Callable[[], None]) -> None:
        """Let something reach the journal, unless a fault comes between."""
        fault, self._fault = self._fault, None
        if fault is None or fault[1]:
            keep()
        if fault:
            if isinstance(fault[0], DurabilityLost):
                self._lost = str(fault[0])
            raise fault[0]

    def _index(self, records: Sequence[StoredRecord | Marker], pointers: Sequence[int]) -> None:
        for frame in records:
            log = self._log.setdefault(frame.shard, [])
            first = frame.first if isinstance(frame, Marker) else frame.position.offset
            assert len(log) + 1 == first
            log.extend([frame] * (frame.position.offset - first + 1))

    def _forget(self, shard: int) -> None:
        with self._lock:
            self._tables.forget(shard)
            self._log.pop(shard, None)
            self._snapshots = {s: kept for s, kept in self._snapshots.items() if s[0] != shard}
        self._damaged.pop(shard, None)
        self._hidden -= {shard}
        self._void = True

    def _sweep_out(self, shard: int) -> None:
        """Memory forgets at once."""

    def _source(self) -> nullcontext[_View]:
        return nullcontext(_View(self))

    # ---- background -----------------------------------------------------------------------
    def put_snapshot(self, shard: int, component: str, entity: str, snapshot: Snapshot) -> None:
        self._check_usable()
        subject = (shard, component, entity)
        head = self._tables.head(subject)
        known = self._snapshots.get(subject)
        if shard in self._hidden or head is None or not fits(snapshot, head):
            return
        if known is None or not fits(known, head) or known.number <= snapshot.number:
            self._snapshots[subject] = snapshot

    def maintain(self, now_ms: int) -> bool:
        self._check_usable()
        self._oldest_hour = max(self._oldest_hour, oldest_hour(now_ms, self._keys_kept_ms))
        self._strip()
        self._empty()
        return False

    def close(self) -> None:
        self._lost = "closed"

    def _strip(self) -> None:
        """Drop what cleaned subjects have left behind; their offsets stay."""
        if not self._tables.cleaned:
            return
        for shard, cleaned in self._tables.cleaned:
            log = self._log[shard]
            offset = cleaned
            while offset:
                stored = log[offset - 1]
                if isinstance(stored, Marker):
                    break  # reclaimed before the shard was copied here
                log[offset - 1] = Marker(MarkerKind.REMOVED, shard, stored.position)
                offset = stored.previous[1]
        self._tables.cleaned.clear()
        self._snapshots = {
            subject: snapshot
            for subject, snapshot in self._snapshots.items()
            if (head := self._tables.head(subject)) and fits(snapshot, head)
        }

    def _empty(self) -> None:
        """Take out of the journal what a DROPPED marker has made void, and the marker."""
        if not self._void:
            return
        dropped: set[int] = set()
        kept: list[tuple[StoredRecord | Marker, bool]] = []
        for frame, pending in reversed(self._journal):
            if isinstance(frame, Marker) and frame.kind is MarkerKind.DROPPED:
                dropped.add(frame.shard)
            if frame.shard not in dropped:
                kept.append((frame, pending))
        self._journal = kept[::-1]
        self._void = False


class _View:
    """A `Source` over the dictionaries."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.layers = (store._tables,)
        self.lock = store._lock

    @property
    def hidden(self) -> frozenset[int]:
        return self._store._hidden

    def head(self, subject: Subject) -> Head | None:
        return None if subject[0] in self.hidden else self._store._tables.head(subject)

    def at(self, shard: int, offset: int) -> StoredRecord | None:
        frame = self._store._log[shard][offset - 1]
        return None if isinstance(frame, Marker) else frame

    def bare(self, shard: int, offset: int) -> StoredRecord | None:
        return self.at(shard, offset)

    def place(self, shard: int, offset: int) -> Position:
        position = self._store._log[shard][offset - 1].position
        return Position(position.lineage, position.epoch, offset)

    def gap_end(self, shard: int, offset: int) -> int:
        return self._store._log[shard][offset - 1].position.offset

    def keyed(self, subject: Subject, key: bytes) -> int:
        hour, offset = self._store._tables.keys.get((subject, key), (0, 0))
        return offset if hour >= self._store._oldest_hour else 0

    def snapshot(self, subject: Subject, head: Head) -> Snapshot | None:
        snapshot = self._store._snapshots.get(subject)
        return snapshot if snapshot and fits(snapshot, head) else None

    def subject_rows(self, component: str, after: tuple[int, str]) -> Iterable[tuple[int, str]]:
        return ()

    def timer_rows(self, kind: TimerKind, up_to_ms: int) -> Iterable[Due]:
        return ()
