"""What all stores share: a log, tables over it, and the rules between them.

A store that builds on `LogStore` says how frames become durable (`_persist`), where a record is
found again (`_index`, `_source`) and what it does in the background. What comes of moving shards
is in `movestore`; everything else happens here, in this order:

    check a batch against the tables -> persist it -> only then let index and tables know

so what anyone reads is durable, and a failed commit leaves no trace. Records of `append` wait
between the second and the third step until `apply`; a marker in the log says that they were applied
or cut off, and a replay of the log takes the same steps (`_replay`).

Threads: the writer changes tables under `_lock`, which is never held over a sync; readers take it
only to walk through a whole table in memory.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

from . import reading
from .api import (
    Ahead,
    Append,
    Appended,
    AppendRefused,
    Damaged,
    Due,
    DurabilityLost,
    Head,
    History,
    Load,
    Position,
    Record,
    Refused,
    ShardState,
    Snapshot,
    StoredRecord,
    StoreIdentity,
    TimerKind,
    Unreadable,
)
from .api.frames import Marker, MarkerKind
from .batch import NOTHING_AHEAD, Batch
from .failpoints import hit
from .tables import Layer
from .waiting import Waiting

T = TypeVar("T")
READ_ATTEMPTS_MAX = 3


class LogStore(ABC):
    """A store but for its medium; see `Store` for the contract of each method."""

    def __init__(self, identity: StoreIdentity, tables: Layer) -> None:
        self._identity = identity
        self._tables = tables
        self._lock = threading.Lock()
        self._damaged: dict[int, str] = {}
        self._waiting: dict[int, Waiting] = {}
        self._hidden: frozenset[int] = frozenset()  # shards that are not whole, see `Source`
        self._ahead: dict[bytes, Ahead] = {}  # whole, and not yet in an append
        self._lost = ""  # why nothing more may be asked of this object

    # ---- the medium -----------------------------------------------------------------------
    @abstractmethod
    def _persist(
        self, frames: Sequence[StoredRecord | Marker], pending: bool = False, what: str = "commit"
    ) -> list[int]:
        """Make the frames durable in one transaction; return where each one is.

        Args:
            frames: in the order of their places.
            pending: the records wait for `apply`.
            what: the operation, as failpoints name it.
        """

    def _frames_of(self, batch: Batch) -> Sequence[StoredRecord]:
        return batch.records

    @abstractmethod
    def _index(self, records: Sequence[StoredRecord | Marker], pointers: Sequence[int]) -> None:
        """Let applied records be found by shard and offset."""

    @abstractmethod
    def _source(self) -> AbstractContextManager[reading.Source]:
        """A view to read from, for less than a few milliseconds."""

    @abstractmethod
    def _forget(self, shard: int) -> None:
        """The log says that the shard was dropped: show nothing of it any more."""

    @abstractmethod
    def _sweep_out(self, shard: int) -> None:
        """Remove what is left of a dropped shard, for it is about to begin anew."""

    @abstractmethod
    def put_snapshot(self, shard: int, component: str, entity: str, snapshot: Snapshot) -> None: ...

    @abstractmethod
    def maintain(self, now_ms: int) -> bool: ...

    @abstractmethod
    def close(self) -> None: ...

    # ---- shards ---------------------------------------------------------------------------
    @property
    def identity(self) -> StoreIdentity:
        return self._identity

    def shard(self, shard: int) -> ShardState:
        waiting = self._waiting.get(shard)
        return (waiting.ahead(self._tables) if waiting else self._tables).state(shard)

    def durable(self, shard: int) -> Position:
        return self.shard(shard).position

    def applied(self, shard: int) -> Position:
        return self._tables.state(shard).position

    def damaged_shards(self) -> dict[int, str]:
        return dict(self._damaged)

    def open_shards(
        self, shards: Iterable[int], now_ms: int, *, sealed: bool = False
    ) -> dict[int, int]:
        hit("open.before_epochs")
        self._check_usable()
        shards = tuple(shards)
        for shard in shards:
            self._check_nothing_waits(shard)
            self._sweep_out(shard)
        batch = self._batch()
        epochs: dict[int, int] = {}
        for shard in shards:
            epoch = batch.open(shard, now_ms, sealed=sealed)
            if epoch is not None:
                epochs[shard] = epoch
        self._write(batch, "open")
        hit("open.after_epochs")
        return epochs

    def seal(self, shard: int, epoch: int) -> Position:
        self._check_nothing_waits(shard)
        batch = self._batch()
        position = batch.seal(shard, epoch)
        if isinstance(position, Refused):
            raise AppendRefused(position)
        self._write(batch, "seal")
        return position

    # ---- writing --------------------------------------------------------------------------
    def commit(self, appends: Sequence[Append]) -> list[Appended | Refused]:
        hit("commit.begin")
        if self._waiting:
            for append in appends:
                self._check_nothing_waits(append.shard)
        batch = self._batch()
        outcomes = [batch.add(append) for append in appends]
        hit("commit.before_write")
        try:
            self._write(batch)
        finally:
            for append in appends if self._ahead else ():
                if append.ahead in self._ahead:  # it has had its turn
                    self.forget_ahead(self._ahead[append.ahead])
        return outcomes

    def forget_ahead(self, ahead: Ahead) -> None:
        self._ahead.pop(ahead.name, None)

    def append(self, shard: int, epoch: int, version: int, records: Sequence[Record]) -> Position:
        waiting = self._waiting.get(shard)
        batch = self._batch(waiting.ahead(self._tables) if waiting else None)
        outcome = batch.add(Append(shard, epoch, version, tuple(records)))
        if isinstance(outcome, Refused):
            raise AppendRefused(outcome)
        pointers = self._persist(batch.records, pending=True)
        self._wait(batch.records, pointers)
        return outcome.position

    def apply(self, shard: int, up_to: int) -> Position:
        waiting = self._waiting.get(shard)
        if waiting and up_to > self.applied(shard).offset:
            last = min(up_to, waiting.records[-1].position.offset)
            self._mark(MarkerKind.APPLIED, shard, last)
        return self.applied(shard)

    def truncate_after(self, shard: int, offset: int) -> Position:
        if offset < self.applied(shard).offset:
            raise ValueError(f"offset {offset} of shard {shard} is applied")
        if offset < self.durable(shard).offset:
            self._mark(MarkerKind.TRUNCATED, shard, offset)
        return self.durable(shard)

    # ---- subjects -------------------------------------------------------------------------
    def head(self, shard: int, component: str, entity: str) -> Head | None:
        return self._read(shard, lambda source: source.head((shard, component, entity)))

    def snapshot(self, shard: int, component: str, entity: str) -> Snapshot | None:
        return self._read(shard, lambda source: reading.folded(source, (shard, component, entity)))

    def load(self, shard: int, component: str, entity: str) -> History | None:
        return self._read(shard, lambda source: reading.load(source, (shard, component, entity)))

    def load_some(self, loads: Sequence[Load], enough: Callable[[], bool]) -> None:
        self._check_usable()
        with self._source() as source:
            for load in loads:
                self._load_on(source, load, enough)
                if enough():
                    return

    def remembered(
        self, shard: int, component: str, entity: str, key: bytes
    ) -> StoredRecord | None:
        subject = (shard, component, entity)
        return self._read(shard, lambda source: reading.remembered(source, subject, key))

    def remembered_some(
        self, shard: int, component: str, entity: str, keys: Sequence[bytes]
    ) -> list[StoredRecord]:
        subject = (shard, component, entity)

        def read(source: reading.Source) -> list[StoredRecord]:
            found = (reading.remembered(source, subject, key) for key in keys)
            return [stored for stored in found if stored is not None]

        return self._read(shard, read)

    def history(
        self, shard: int, component: str, entity: str, *, after: int = 0, limit: int = 100
    ) -> list[StoredRecord]:
        subject = (shard, component, entity)
        return self._read(shard, lambda source: reading.history(source, subject, after, limit))

    def subjects(
        self, component: str, *, after: tuple[int, str] | None = None, limit: int = 100
    ) -> list[tuple[int, str]]:
        start = after or (-1, "")
        return self._read(None, lambda source: reading.subjects(source, component, start, limit))

    def due(self, kind: TimerKind, up_to_ms: int, limit: int = 100) -> list[Due]:
        return self._read(None, lambda source: reading.due(source, kind, up_to_ms, limit))

    def records(self, shard: int, after: int, *, limit: int = 100) -> list[StoredRecord]:
        return self._read(
            shard,
            lambda source: reading.records(source, shard, after, self._shown(shard).offset, limit),
        )

    # ---- inside ---------------------------------------------------------------------------
    def _batch(self, below: Layer | None = None) -> Batch:
        self._check_usable()
        identity = self._identity
        return Batch(
            below or self._tables,
            *(identity.lineage, identity.shards, self._damaged, self._hidden),
            whole=NOTHING_AHEAD if below else self._ahead,
        )

    def _write(self, batch: Batch, what: str = "commit") -> None:
        if batch.records:
            pointers = self._persist(self._frames_of(batch), what=what)
            with self._lock:
                self._index(batch.records, pointers)
                self._tables.absorb(batch)

    def _mark(self, kind: MarkerKind, shard: int, offset: int) -> None:
        self._check_usable()
        epoch = self.durable(shard).epoch
        marker = Marker(kind, shard, Position(self._identity.lineage, epoch, offset))
        self._persist([marker])
        self._settle(marker)

    def _wait(self, records: Sequence[StoredRecord], pointers: Sequence[int]) -> None:
        self._waiting.setdefault(records[0].shard, Waiting()).extend(records, pointers)

    def _settle(self, marker: Marker) -> None:
        """Take waiting records up to the marker into the tables, or cut off those beyond it."""
        waiting = self._waiting.pop(marker.shard, None)
        if waiting is None:
            return
        offset = marker.position.offset
        split = sum(1 for stored in waiting.records if stored.position.offset <= offset)
        first, rest = waiting.records[:split], waiting.records[split:]
        if marker.kind is MarkerKind.APPLIED:
            with self._lock:
                for stored, pointer in zip(first, waiting.pointers, strict=False):
                    self._take(stored, pointer)
            left, pointers = rest, waiting.pointers[split:]
        else:
            left, pointers = first, waiting.pointers[:split]
        if left:
            self._wait(left, pointers)

    def _take(self, frame: StoredRecord | Marker, pointer: int) -> None:
        """Index and apply one frame, unless index and tables have it."""
        shard, position = frame.shard, frame.position
        if not self._follows(frame, self.applied(shard)):
            return
        if position.offset > self.applied(shard).offset:
            self._index((frame,), (pointer,))
        if isinstance(frame, Marker):
            self._tables.move(shard, position)
        else:
            self._tables.apply(frame)

    def _replay(self, frame: StoredRecord | Marker, pending: bool, pointer: int) -> None:
        """Do again what was done when the frame was written; see the order above."""
        if frame.shard in self._damaged:
            return
        if isinstance(frame, Marker):
            self._replay_marker(frame, pointer)
        elif pending:
            self._wait((frame,), (pointer,))
        else:
            self._take(frame, pointer)

    def _replay_marker(self, marker: Marker, pointer: int) -> None:
        if marker.kind in (MarkerKind.REMOVED, MarkerKind.GAP):
            self._take(marker, pointer)
        elif marker.kind is MarkerKind.COPY:
            self._tables.begin_copy(marker.shard, marker.position, marker.time_ms)
        elif marker.kind is MarkerKind.DROPPED:
            self._forget(marker.shard)
        else:
            self._settle(marker)

    def _replayed(self) -> None:
        """The replay is over: what waits must follow what is applied."""
        for shard in self._tables.copies:
            self._show(shard)
        for shard, waiting in list(self._waiting.items()):
            known = self.applied(shard)
            for stored in waiting.records:
                if not self._follows(stored, known):
                    del self._waiting[shard]
                    break
                known = stored.position

    def _follows(self, frame: StoredRecord | Marker, known: Position) -> bool:
        """Whether a frame is known or comes next; where it does not the shard is damaged."""
        shard, position = frame.shard, frame.position
        new = position.offset > known.offset
        first = frame.first if isinstance(frame, Marker) else position.offset
        if new and (first != known.offset + 1 or position.epoch < known.epoch):
            self._damaged[shard] = (
                f"shard {shard}: offset {first} of epoch {position.epoch} "
                f"after offset {known.offset} of epoch {known.epoch}"
            )
        return shard not in self._damaged

    def _read(self, shard: int | None, ask: Callable[[reading.Source], T]) -> T:
        """Ask a view; what it finds damaged takes the shard out of service."""
        for attempt in range(1, READ_ATTEMPTS_MAX + 1):
            self._check_usable()
            if shard is not None and shard in self._damaged:
                raise Damaged(self._damaged[shard])
            try:
                with self._source() as source:
                    return ask(source)
            except Damaged as error:
                # A subject that is cleaned meanwhile takes its records along: look again.
                if attempt == READ_ATTEMPTS_MAX:
                    if shard is not None:
                        self._damaged[shard] = str(error)
                    raise
        raise AssertionError("unreachable")

    def _load_on(self, source: reading.Source, load: Load, enough: Callable[[], bool]) -> None:
        try:
            if load.subject[0] in self._damaged:
                raise Damaged(self._damaged[load.subject[0]])
            reading.go_on(source, load, enough)
        except Damaged:
            try:
                load.end(self.load(*load.subject))  # looks again, in views of its own
            except Damaged as error:
                load.end(error)

    def _show(self, shard: int) -> None:
        """Hide the shard while a copy of it is not complete, and show it again."""
        whole = self._tables.unfinished(shard) is None
        self._hidden = self._hidden - {shard} if whole else self._hidden | {shard}

    def _shown(self, shard: int) -> Position:
        """`applied` for those who may not see what is not whole."""
        if shard in self._hidden:
            return Position(self._identity.lineage, 0, 0)
        return self.applied(shard)

    def _check_shard(self, shard: int) -> None:
        if not 0 <= shard < self._identity.shards:
            raise ValueError(f"shard {shard} of {self._identity.shards}")

    def _check_nothing_waits(self, shard: int) -> None:
        if shard in self._waiting:
            raise ValueError(f"shard {shard} has records that wait for apply or truncate_after")

    def _check_usable(self) -> None:
        if self._lost == "closed":
            raise Unreadable("the store is closed")
        if self._lost:
            raise DurabilityLost(self._lost)
