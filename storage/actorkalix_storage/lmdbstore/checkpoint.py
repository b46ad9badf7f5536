"""Checkpoints: a frozen generation becomes rows, slice by slice.

A generation is cut into steps; each writes what belongs together (a head with its timer, a shard's state with its
pointers), is idempotent, and stands in no need of the others. A slice is a transaction of some steps. The last one
also moves the checkpoint mark: only then does the log before it no longer count for recovery. After a crash between
slices the log is replayed from the old mark over rows of which some are newer, which changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import lmdb
import msgspec

from ..api import Damaged, Head
from ..api.keys import (
    KeyKind,
    chunk_key,
    head_key,
    hour_key,
    kind_key,
    meta_key,
    reclaim_key,
    shard_key,
    shard_offset_of,
    timer_key,
)
from ..tables import Subject, timer_of
from .generation import Generation
from .rows import (
    CHUNK_POINTERS_MAX,
    CheckpointRow,
    key_hash,
    pack_head,
    pack_offset,
    pack_place,
    pack_pointers,
    pack_shard,
    unpack_head,
    unpack_pointers,
)

Rows: TypeAlias = "lmdb.Transaction[bytes]"
Step = Callable[[Rows], None]

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
        keys = [
            (hour_key(hour) + key_hash(subject, key), pack_place(subject[0], offset))
            for (subject, key), (hour, offset) in generation.keys.items()
            if hour >= oldest_hour
        ]
        self.hours = {hour for hour, _ in generation.keys.values() if hour >= oldest_hour}
        self._steps: list[Step] = [
            *(_shard_step(generation, shard) for shard in sorted(generation.shards)),
            *(_head_step(subject, generation.heads[subject]) for subject in sorted(generation.heads)),
            *(_row_step(key, row) for key, row in sorted(keys)),
            *(
                _row_step(reclaim_key(shard, offset), pack_offset(offset))
                for shard, offset in generation.cleaned
            ),
        ]
        self._done = 0

    def next_slice(self, steps_max: int) -> Sequence[Step]:
        """The steps of the next transaction; empty when only the mark is left."""
        return self._steps[self._done : self._done + steps_max]

    def advance(self, count: int) -> None:
        """The transaction with the last slice is on disk."""
        self._done += count

    @property
    def is_written(self) -> bool:
        return self._done == len(self._steps)


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


def _row_step(key: bytes, row: bytes) -> Step:
    def step(rows: Rows) -> None:
        rows.put(key, row)

    return step


def _head_step(subject: Subject, head: Head | None) -> Step:
    def step(rows: Rows) -> None:
        key = head_key(*subject)
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

    return step


def _shard_step(generation: Generation, shard: int) -> Step:
    def step(rows: Rows) -> None:
        if shard in generation.pointers:
            _extend(rows, shard, *generation.pointers[shard])
        rows.put(shard_key(shard), pack_shard(generation.shards[shard]))

    return step


def _extend(rows: Rows, shard: int, first: int, pointers: list[int]) -> None:
    """Continue a shard's chunks with the pointers of `first` and the offsets after it."""
    cursor = rows.cursor()
    found = cursor.prev() if cursor.set_range(chunk_key(shard + 1, 0)) else cursor.last()
    if found and cursor.key()[:2] == kind_key(KeyKind.SHARD_LOG):
        its_shard, its_first = shard_offset_of(cursor.key())
        held = unpack_pointers(cursor.value()) if its_shard == shard else ()
        if its_shard == shard and its_first + len(held) > first:
            held = held[: first - its_first]  # written by a checkpoint that did not end
        if its_shard == shard and len(held) < CHUNK_POINTERS_MAX:
            first, pointers = its_first, [*held, *pointers]
    for begin in range(0, len(pointers), CHUNK_POINTERS_MAX):
        chunk = pointers[begin : begin + CHUNK_POINTERS_MAX]
        rows.put(chunk_key(shard, first + begin), pack_pointers(chunk))
