"""Checkpoints: a frozen generation becomes rows, slice by slice.

A generation is cut into steps; each writes what belongs together (a head with its timer, a shard's
state with its pointers), is idempotent, and stands in no need of the others. A slice is a
transaction of some steps, in key order within itself; sorting a whole generation would hold up
commits for longer than a slice does. The last slice also moves the checkpoint mark: only then does
the log before it no longer count for recovery. After a crash between slices the log is replayed
from the old mark over rows of which some are newer, which changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import lmdb
import msgspec

from actorkalix_storage.api import Damaged
from actorkalix_storage.api.keys import (
    head_key,
    hour_key,
    meta_key,
    reclaim_key,
    shard_key,
    timer_key,
)
from actorkalix_storage.tables import Subject, timer_of

from .generation import Generation
from .rows import (
    CheckpointRow,
    Hole,
    key_hash,
    pack_head,
    pack_offset,
    pack_place,
    pack_shard,
    unpack_head,
)
from .shardlog import extend, put_hole

Rows: TypeAlias = "lmdb.Transaction[bytes]"

CHECKPOINT = meta_key("checkpoint")


class Checkpoint:
    """The work of writing one generation.

    Attributes:
        generation: what is written; it changes no more.
        sequence: the mark when all is written.
        hours: hours of idempotency rows that it writes.
    """

    def __init__(self, generation: Generation, sequence: int, oldest_hour: int) -> None:
        self.generation = generation
        self.sequence = sequence
        self.hours = {hour for hour, _ in generation.keys.values() if hour >= oldest_hour}
        self._oldest_hour = oldest_hour
        self._parts: list[tuple[Sequence[Any], Callable[[Rows, Sequence[Any]], None]]] = [
            (list(generation.shards), self._put_shards),
            (list(generation.heads), self._put_heads),
            (list(generation.keys), self._put_keys),
            (generation.cleaned, self._put_cleaned),
        ]
        self._done = 0

    def write_slice(self, rows: Rows, steps_max: int) -> int:
        """Do the next steps; return how many. They count when `advance` is called."""
        begin, end, count = self._done, self._done + steps_max, 0
        for steps, put in self._parts:
            chosen = steps[max(begin, 0) : max(end, 0)]
            if chosen:
                put(rows, chosen)
                count += len(chosen)
            begin, end = begin - len(steps), end - len(steps)
        return count

    def advance(self, count: int) -> None:
        """The transaction with the last slice is on disk."""
        self._done += count

    def _put_shards(self, rows: Rows, shards: Sequence[int]) -> None:
        for shard in sorted(shards):
            for run in self.generation.before.get(shard, ()):
                if isinstance(run, Hole):
                    put_hole(rows, shard, run)
                else:
                    extend(rows, shard, *run)
            if shard in self.generation.pointers:
                extend(rows, shard, *self.generation.pointers[shard])
            row = pack_shard(self.generation.shards[shard], self.generation.source(shard))
            rows.put(shard_key(shard), row)

    def _put_heads(self, rows: Rows, subjects: Sequence[Subject]) -> None:
        for key, subject in sorted((head_key(*subject), subject) for subject in subjects):
            head = self.generation.heads[subject]
            old_row = rows.get(key)
            old = timer_of(unpack_head(old_row)) if old_row is not None else None
            new = timer_of(head)
            if old and old != new:
                rows.delete(timer_key(old[0], old[1], *subject))
            if new and old != new:
                rows.put(timer_key(new[0], new[1], *subject), b"")
            if head:
                rows.put(key, pack_head(head))
            elif old_row is not None:
                rows.delete(key)

    def _put_keys(self, rows: Rows, keys: Sequence[tuple[Subject, bytes]]) -> None:
        found: list[tuple[bytes, bytes]] = []
        for subject, key in keys:
            hour, offset = self.generation.keys[(subject, key)]
            if hour >= self._oldest_hour:
                row = pack_place(subject[0], offset)
                found.append((hour_key(hour) + key_hash(subject, key), row))
        rows.cursor().putmulti(sorted(found))

    def _put_cleaned(self, rows: Rows, cleaned: Sequence[tuple[int, int]]) -> None:
        for shard, offset in cleaned:
            rows.put(reclaim_key(shard, offset), pack_offset(offset))


def put_mark(rows: Rows, row: CheckpointRow) -> None:
    """Write the checkpoint row."""
    rows.put(CHECKPOINT, msgspec.msgpack.encode(row))


def get_mark(row: bytes | memoryview | None) -> CheckpointRow:
    """Read the checkpoint row; a folder that has none yet is at the beginning."""
    if row is None:
        return CheckpointRow()
    try:
        return msgspec.msgpack.decode(row, type=CheckpointRow)
    except msgspec.MsgspecError as error:
        raise Damaged(f"the checkpoint row cannot be read: {error}") from error
