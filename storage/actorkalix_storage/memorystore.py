"""A store in memory, for tests, the test kit and the simulator.

Its journal stands for a disk: what `commit` returned is in it, and `crash` builds a new store from
the journal alone, exactly as a store on disk does after a kill. Tables and index are dictionaries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext

from .api import (
    Due,
    DurabilityLost,
    Head,
    Snapshot,
    StoredRecord,
    StoreError,
    StoreIdentity,
    TimerKind,
)
from .api.frames import Marker
from .logstore import LogStore
from .tables import KEYS_KEPT_MS, Layer, NoTables, Subject, fits, oldest_hour


class MemoryStore(LogStore):
    """A `Store` without a disk.

    Args:
        identity: whose store it is.
        keys_kept_ms: how long idempotency keys are remembered, in whole hours of record time.
    """

    def __init__(self, identity: StoreIdentity, *, keys_kept_ms: int = KEYS_KEPT_MS) -> None:
        super().__init__(identity, Layer(NoTables(identity.lineage)))
        self._keys_kept_ms = keys_kept_ms
        self._journal: list[tuple[StoredRecord | Marker, bool]] = []
        self._log: dict[int, list[StoredRecord | None]] = {}
        self._snapshots: dict[Subject, Snapshot] = {}
        self._oldest_hour = 0
        self._fault: tuple[StoreError, bool] | None = None

    # ---- simulation -----------------------------------------------------------------------
    def fail_next_commit(self, error: StoreError, *, stored: bool = False) -> None:
        """Let the next write raise `error`; `stored`: it reaches the journal nevertheless."""
        self._fault = (error, stored)

    def crash(self) -> MemoryStore:
        """Lose everything but the journal; return the store that recovery finds."""
        self._lost = "closed"
        store = MemoryStore(self._identity, keys_kept_ms=self._keys_kept_ms)
        store._journal = self._journal
        store._snapshots = dict(self._snapshots)
        store._oldest_hour = self._oldest_hour
        for frame, pending in self._journal:
            store._replay(frame, pending, 0)
        store._replayed()
        store._strip()
        return store

    # ---- the medium -----------------------------------------------------------------------
    def _persist(self, frames: Sequence[StoredRecord | Marker], pending: bool = False) -> list[int]:
        fault, self._fault = self._fault, None
        if fault is None or fault[1]:
            self._journal.extend((frame, pending) for frame in frames)
        if fault:
            if isinstance(fault[0], DurabilityLost):
                self._lost = str(fault[0])
            raise fault[0]
        return [0] * len(frames)

    def _index(self, records: Sequence[StoredRecord | Marker], pointers: Sequence[int]) -> None:
        for frame in records:
            log = self._log.setdefault(frame.shard, [])
            assert len(log) + 1 == frame.position.offset
            log.append(None if isinstance(frame, Marker) else frame)

    def _source(self) -> nullcontext[_View]:
        return nullcontext(_View(self))

    # ---- background -----------------------------------------------------------------------
    def put_snapshot(self, shard: int, component: str, entity: str, snapshot: Snapshot) -> None:
        self._check_usable()
        subject = (shard, component, entity)
        head = self._tables.head(subject)
        known = self._snapshots.get(subject)
        if head is None or not fits(snapshot, head):
            return
        if known is None or not fits(known, head) or known.number <= snapshot.number:
            self._snapshots[subject] = snapshot

    def maintain(self, now_ms: int) -> bool:
        self._check_usable()
        self._oldest_hour = max(self._oldest_hour, oldest_hour(now_ms, self._keys_kept_ms))
        self._strip()
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
                assert stored is not None
                log[offset - 1] = None
                offset = stored.previous[1]
        self._tables.cleaned.clear()
        self._snapshots = {
            subject: snapshot
            for subject, snapshot in self._snapshots.items()
            if (head := self._tables.head(subject)) and fits(snapshot, head)
        }


class _View:
    """A `Source` over the dictionaries."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.layers = (store._tables,)
        self.lock = store._lock

    def head(self, subject: Subject) -> Head | None:
        return self._store._tables.head(subject)

    def at(self, shard: int, offset: int) -> StoredRecord | None:
        return self._store._log[shard][offset - 1]

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
