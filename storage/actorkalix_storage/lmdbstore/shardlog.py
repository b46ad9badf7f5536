"""The index of the shards' logs in rows: which offset is where, and which is nowhere any more.

Every offset of a shard up to its newest one on disk is in exactly one row: in a chunk of pointers,
or in a hole. A hole stands for records that were removed: reclaimed in this store (`compaction`),
or before the shard was copied here (a `GAP` marker, which leads here too). Holes that touch are one
row, as long as lineage and epoch are the same, so their number is bounded by that of the records
between them. The rows of the store's own log that were deleted are holes as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any, TypeAlias

import lmdb

from actorkalix_storage.api import Position
from actorkalix_storage.api.keys import KeyKind, chunk_key, hole_key, kind_key, shard_offset_of

from .rows import (
    CHUNK_POINTERS_MAX,
    Hole,
    pack_hole,
    pack_pointers,
    pointer_at,
    unpack_hole,
    unpack_pointers,
)

Rows: TypeAlias = "lmdb.Transaction[Any]"


# ---- reading -------------------------------------------------------------------------------------
def chunk_at(rows: Rows, shard: int, offset: int) -> tuple[int, bytes | memoryview] | None:
    """First offset and bytes of the last chunk that begins at or before an offset."""
    return _last(rows, chunk_key(shard, offset), KeyKind.SHARD_LOG, shard)


def hole_at(rows: Rows, shard: int, offset: int) -> Hole | None:
    """The hole that an offset is in.

    Raises:
        Damaged: it cannot be read.
    """
    found = _last(rows, hole_key(shard, offset), KeyKind.HOLE, shard)
    hole = unpack_hole(found[1], shard, found[0]) if found else None
    return hole if hole and offset <= hole.last else None


def _last(
    rows: Rows, key: bytes, kind: KeyKind, shard: int
) -> tuple[int, bytes | memoryview] | None:
    cursor = rows.cursor()
    found = cursor.set_range(key)
    if not found:
        found = cursor.last()
    elif bytes(cursor.key()) != key:
        found = cursor.prev()
    if not found or bytes(cursor.key()[:2]) != kind_key(kind):
        return None
    its_shard, first = shard_offset_of(cursor.key())
    return (first, cursor.value()) if its_shard == shard else None


class Index:
    """The index as one transaction sees it; remembers the chunk of each shard asked for last."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._chunks: dict[int, tuple[int, bytes | memoryview]] = {}

    def pointer(self, shard: int, offset: int) -> int:
        """Where a record is, or 0 for nowhere."""
        chunk = self._chunks.get(shard)
        held = pointer_at(chunk[1], offset - chunk[0]) if chunk else 0
        if held:
            return held
        chunk = chunk_at(self._rows, shard, offset)  # it may be in the next chunk
        if chunk is None:
            return 0
        self._chunks[shard] = chunk
        return pointer_at(chunk[1], offset - chunk[0])

    def hole(self, shard: int, offset: int) -> Hole | None:
        """The hole that an offset is in, see `hole_at`."""
        return hole_at(self._rows, shard, offset)


def holes(rows: Rows) -> Iterator[tuple[int, int, memoryview]]:
    """Shard, first offset and bytes of all holes in order."""
    cursor = rows.cursor()
    found = cursor.set_range(kind_key(KeyKind.HOLE))
    while found and cursor.key()[:2] == kind_key(KeyKind.HOLE):
        yield *shard_offset_of(cursor.key()), cursor.value()
        found = cursor.next()


# ---- writing -------------------------------------------------------------------------------------
def extend(rows: Rows, shard: int, first: int, pointers: list[int]) -> None:
    """Continue a shard's chunks with the pointers of `first` and the offsets after it."""
    last = chunk_at(rows, shard, first)
    if last is not None:
        its_first, held = last[0], unpack_pointers(last[1])
        held = held[: first - its_first]  # more was written by a checkpoint that did not end
        if its_first + len(held) == first and len(held) < CHUNK_POINTERS_MAX:
            first, pointers = its_first, [*held, *pointers]
    for begin in range(0, len(pointers), CHUNK_POINTERS_MAX):
        chunk = pointers[begin : begin + CHUNK_POINTERS_MAX]
        rows.put(chunk_key(shard, first + begin), pack_pointers(chunk))


def put_hole(rows: Rows, shard: int, hole: Hole) -> None:
    """Make a hole, one with those that it touches.

    Raises:
        Damaged: one of them cannot be read.
    """
    first, position = hole.first, hole.position
    before = hole_at(rows, shard, first - 1) if first > 1 else None
    if before and _are_alike(before.position, position):
        first = before.first
    after = hole_at(rows, shard, position.offset + 1)
    if after and _are_alike(after.position, position):
        position = after.position
        rows.delete(hole_key(shard, after.first))
    rows.put(hole_key(shard, first), pack_hole(shard, Hole(first, position)))


def _are_alike(one: Position, other: Position) -> bool:
    return (one.lineage, one.epoch) == (other.lineage, other.epoch)


def punch(
    rows: Rows, shard: int, gone: Sequence[tuple[int, Position]]
) -> tuple[int, tuple[int, ...]]:
    """Make holes of offsets of a shard: of those in the chunk that the first one is in.

    Args:
        rows: the transaction.
        shard: whose offsets they are.
        gone: in order, one at least: where the index is to lead, and the position. Where it leads
            elsewhere the shard was dropped meanwhile, and the offset is another record's.

    Returns:
        How many were looked at, and the pointers that the index had of them.

    Raises:
        Damaged: a row cannot be read.
    """
    chunk = chunk_at(rows, shard, gone[0][1].offset)
    first, held = (chunk[0], unpack_pointers(chunk[1])) if chunk else (0, ())
    asked = tuple(takewhile(lambda each: each[1].offset < first + len(held), gone))
    chosen = [(place, p) for place, p in asked if held[p.offset - first] == place]
    if chosen:
        rows.delete(chunk_key(shard, first))
        begin = first
        for hole in _runs([position for _, position in chosen]):
            _put_chunk(rows, shard, begin, held[begin - first : hole.first - first])
            put_hole(rows, shard, hole)
            begin = hole.last + 1
        _put_chunk(rows, shard, begin, held[begin - first :])
    return max(len(asked), 1), tuple(place for place, _ in chosen)


def _put_chunk(rows: Rows, shard: int, first: int, pointers: tuple[int, ...]) -> None:
    if pointers:
        rows.put(chunk_key(shard, first), pack_pointers(pointers))


def _runs(positions: list[Position]) -> list[Hole]:
    """Positions in order as holes: offsets that follow each other are one."""
    found: list[Hole] = []
    for position in positions:
        last = found[-1] if found else None
        if last and last.last + 1 == position.offset and _are_alike(last.position, position):
            found[-1] = Hole(last.first, position)
        else:
            found.append(Hole(position.offset, position))
    return found
