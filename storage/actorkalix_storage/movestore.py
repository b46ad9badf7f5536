"""What stores share of moving: the home table, shards that come and go.

A shard comes page by page (`receive`) and is shown when it is whole; it goes at once (`drop`), by
one marker after which everything before it in the log is void, and its rows and bytes are swept
away later. `moving` says what stands in the log; here is the order of things:

    receive: the COPY marker -> for each page: snapshots -> its frames, in one commit
    drop:    the DROPPED marker -> memory forgets -> the medium is swept

Snapshots come before the records that make them count, for a page that is here is not sent again;
and after the COPY marker, so that whatever a crash leaves of them goes with a `drop`.
"""

from __future__ import annotations

from abc import abstractmethod

from .api import Damaged, HomeTable, Position, ShardPage, Snapshot, StoredRecord
from .api.frames import Marker, MarkerKind
from .failpoints import hit
from .logstore import LogStore
from .moving import frames_of, page_of
from .reading import parting
from .tables import Subject


class MoveStore(LogStore):
    """A `LogStore` that gives and takes shards."""

    _homes: HomeTable | None = None

    # ---- the medium -----------------------------------------------------------------------
    @abstractmethod
    def _persist_homes(self, table: HomeTable) -> None:
        """Make the home table durable."""

    @abstractmethod
    def _persist_drop(self, marker: Marker) -> None:
        """Make a `DROPPED` marker durable, and with it that the shard is not damaged."""

    @abstractmethod
    def _keep_snapshot(self, subject: Subject, snapshot: Snapshot) -> None:
        """Make a snapshot durable, whatever the tables say of its subject."""

    # ---- homes ----------------------------------------------------------------------------
    def homes(self) -> HomeTable | None:
        return self._homes

    def put_homes(self, table: HomeTable) -> None:
        self._check_usable()
        known = self._homes
        if table == known:
            return
        if len(table.homes) != self._identity.shards or table.version < 1:
            raise ValueError(
                f"version {table.version} of a home table of {len(table.homes)} shards, "
                f"in a service with {self._identity.shards}"
            )
        if known is not None and table.version <= known.version:
            which = "a newer" if table.version < known.version else "another"
            raise ValueError(
                f"version {table.version} of the home table where {which} one of version "
                f"{known.version} is known"
            )
        self._persist_homes(table)
        self._homes = table

    # ---- moves ----------------------------------------------------------------------------
    def export(self, shard: int, after: int, limit: int = 500) -> ShardPage | None:
        self._check_nothing_waits(shard)
        if self._tables.unfinished(shard) is not None:
            raise ValueError(f"the copy of shard {shard} is not complete: it has no copies")
        state = self.shard(shard)
        return self._read(
            shard,
            lambda source: page_of(source, shard, after, state.position, state.time_ms, limit),
        )

    def receiving(self, shard: int) -> tuple[Position, int] | None:
        source = self._tables.unfinished(shard)
        return (source, self.applied(shard).offset) if source else None

    def receive(self, shard: int, source: Position, page: ShardPage) -> int:
        self._check_copy(shard, source)
        here = self.applied(shard)
        if page.through <= here.offset:
            return here.offset
        frames = frames_of(shard, source, page, here)
        if self._tables.source(shard) is None:
            self._sweep_out(shard)
            self._receive([Marker(MarkerKind.COPY, shard, source, time_ms=page.time_ms)])
        for component, entity, snapshot in page.snapshots:
            self._keep_snapshot((shard, component, entity), snapshot)
        self._receive(frames)
        return self.applied(shard).offset

    def drop(self, shard: int) -> None:
        self._check_usable()
        self._check_shard(shard)
        self._check_nothing_waits(shard)
        position = self.applied(shard)
        is_here = position.offset > 0 or self._tables.source(shard) is not None
        if is_here or shard in self._damaged:
            self._persist_drop(Marker(MarkerKind.DROPPED, shard, position))
            hit("drop.middle")
            self._forget(shard)
            hit("drop.after_sync")

    def parting(self, shard: int, position: Position) -> Position:
        return self._read(
            shard, lambda source: parting(source, shard, position, self._shown(shard))
        )

    # ---- inside ---------------------------------------------------------------------------
    def _check_copy(self, shard: int, source: Position) -> None:
        """Refuse what cannot become, or go on with, a copy of what stands at `source`."""
        self._check_usable()
        self._check_shard(shard)
        self._check_nothing_waits(shard)
        if shard in self._damaged:
            raise Damaged(self._damaged[shard])
        here, begun = self.applied(shard), self._tables.source(shard)
        is_new = begun is None and here.offset == 0
        is_same = begun == source and here.offset <= source.offset
        if not is_new and not is_same:
            where = f"a copy of {begun}" if begun else "no copy"
            raise ValueError(
                f"shard {shard} is here at {here}, {where}: drop it before it comes from {source}"
            )

    def _receive(self, frames: list[StoredRecord | Marker]) -> None:
        pointers = self._persist(frames, what="receive")
        with self._lock:
            for frame, pointer in zip(frames, pointers, strict=True):
                self._replay(frame, False, pointer)
        self._show(frames[0].shard)
