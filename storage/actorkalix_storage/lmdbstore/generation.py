"""Generations: table changes in memory between two checkpoints.

The youngest generation takes what commits change. A checkpoint freezes it, lays an empty one over
it, writes the frozen one to rows in slices and then takes it out from between. Readers take all
generations first and begin their read transaction after that: what leaves memory meanwhile is on
disk in their transaction or still in their hands.
"""

from __future__ import annotations

from collections.abc import Sequence

import lmdb

from actorkalix_storage.api import Damaged, Head, Position, ShardState, StoredRecord
from actorkalix_storage.api.frames import Marker, MarkerKind
from actorkalix_storage.api.keys import head_key
from actorkalix_storage.batch import impossible_id
from actorkalix_storage.tables import Layer, Subject, Tables

from .environment import Environment
from .rows import Hole, unpack_head


class Disk:
    """The tables in rows, below all generations. What is said of whole shards is in memory."""

    def __init__(self, environment: Environment, lineage: int) -> None:
        self._environment = environment
        self._nothing = ShardState(Position(lineage, 0, 0), 0)
        self.shards: dict[int, ShardState] = {}
        self.copies: dict[int, Position] = {}

    def head(self, subject: Subject) -> Head | None:
        if impossible_id(subject[1], subject[2]):
            return None
        try:
            with self._environment.read() as rows:
                row = rows.get(head_key(*subject))
                return None if row is None else unpack_head(row)
        except lmdb.Error as error:
            raise Damaged(f"the table cannot be read: {error}") from error

    def state(self, shard: int) -> ShardState:
        return self.shards.get(shard, self._nothing)

    def source(self, shard: int) -> Position | None:
        return self.copies.get(shard)


class Generation(Layer):
    """Table changes, and where the records are that caused them.

    Attributes:
        pointers: shard -> offset of the first record, pointers of it and all that follow.
        before: shard -> what comes before these pointers, in order: holes, and such pointers.
        count: number of records.
    """

    __slots__ = ("before", "count", "pointers")

    def __init__(self, below: Tables) -> None:
        super().__init__(below)
        self.pointers: dict[int, tuple[int, list[int]]] = {}
        self.before: dict[int, list[tuple[int, list[int]] | Hole]] = {}
        self.count = 0

    def index(self, records: Sequence[StoredRecord | Marker], pointers: Sequence[int]) -> None:
        """Let records be found; they continue their shards' logs."""
        held = self.pointers
        for stored, pointer in zip(records, pointers, strict=True):
            if type(stored) is Marker and stored.kind is MarkerKind.GAP:
                self._index_gap(stored)
                continue
            tail, offset = held.get(stored.shard), stored.position.offset
            if tail is None:
                held[stored.shard] = (offset, [pointer])
            else:
                assert tail[0] + len(tail[1]) == offset
                tail[1].append(pointer)
        self.count += len(records)

    def _index_gap(self, gap: Marker) -> None:
        """A gap is a hole: it may stand for more offsets than there is memory."""
        first, pointers = self.pointers.get(gap.shard, (gap.first, []))
        assert first + len(pointers) == gap.first
        before = self.before.setdefault(gap.shard, [])
        if pointers:
            before.append((first, pointers))
        before.append(Hole(gap.first, gap.position))
        self.pointers[gap.shard] = (gap.position.offset + 1, [])

    def pointer(self, shard: int, offset: int) -> int:
        """Where a record is, or 0 when another generation or the disk knows."""
        tail = self.pointers.get(shard)
        if tail is None:
            return 0
        if 0 <= offset - tail[0] < len(tail[1]):
            return tail[1][offset - tail[0]]
        for run in self.before.get(shard, ()):
            if not isinstance(run, Hole) and 0 <= offset - run[0] < len(run[1]):
                return run[1][offset - run[0]]
        return 0

    def hole(self, shard: int, offset: int) -> Hole | None:
        """The hole that an offset is in, or None when another generation or the disk knows."""
        for hole in self.before.get(shard, ()):
            if isinstance(hole, Hole) and hole.first <= offset <= hole.last:
                return hole
        return None

    @property
    def is_dirty(self) -> bool:
        return bool(self.shards or self.heads or self.cleaned)
