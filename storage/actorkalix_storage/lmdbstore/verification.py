"""A full check: fold the whole log again and compare every table on disk with the result.

The tables on disk are those at the checkpoint mark; of a checkpoint that did not end, some are
newer. So what the log after the mark touches may differ and is only looked at for being readable;
everything else must be equal. Frames that are void, because their shard was dropped after them, are
only looked at for being readable too, and so are the rows of a shard that is not swept away yet.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import TypeAlias

import lmdb

from actorkalix_storage.api import Damaged
from actorkalix_storage.api.keys import (
    STORE_LOG,
    KeyKind,
    hour_key,
    kind_key,
    log_key,
    piece_of,
    shard_of,
    shard_offset_of,
    subject_of,
)
from actorkalix_storage.api.keys import (
    timer_of as timer_row_of,
)

from . import aheads, snapshots
from .checkpoint import CHECKPOINT, get_mark
from .fold import Fold, Report
from .log import frames, log_rows
from .opening import homes_of, read_drops
from .rows import (
    Drop,
    Hole,
    key_hash,
    unpack_head,
    unpack_hole,
    unpack_place,
    unpack_pointers,
    unpack_shard,
    unpack_source,
)

Rows: TypeAlias = "lmdb.Transaction[memoryview]"
Tile: TypeAlias = tuple[int, memoryview | Hole]
"""First offset, and what the index has from there on."""


def verify_rows(rows: Rows, report: Report) -> None:
    """Check all rows of a store."""
    mark = get_mark(rows.get(CHECKPOINT))
    homes_of(rows)
    drops = read_drops(rows)
    fold = Fold(report, drops, _read_holes(rows, report))
    for sequence, row in log_rows(rows, 0):
        report.rows += 1
        _check_found(rows, log_key(sequence), report)
        fold.is_tail = sequence > mark.sequence
        try:
            for frame in frames(row, sequence):
                report.records += 1
                fold.take(frame)
        except Damaged as error:
            report.add(str(error), fatal=True)
    fold.end()
    report.shards = len(fold.tables.shards)
    for check in (_verify_drops, _verify_shards, _verify_index, _verify_heads, _verify_timers):
        check(rows, fold, report)
    _verify_keys(rows, fold, report, mark.oldest_hour)
    _verify_snapshots(rows, report)
    _verify_aheads(rows, fold, report)


def _of_kind(rows: Rows, kind: KeyKind, report: Report) -> Iterator[tuple[memoryview, memoryview]]:
    cursor = rows.cursor()
    found = cursor.set_range(kind_key(kind))
    while found and cursor.key()[:2] == kind_key(kind):
        report.rows += 1
        _check_found(rows, bytes(cursor.key()), report)
        try:
            yield cursor.item()
        except GeneratorExit:
            return
        found = cursor.next()


def _check_found(rows: Rows, key: bytes, report: Report) -> None:
    """Look a row up that a walk has come by: with a wrong key above it, it would count as none."""
    if rows.get(key) is None:
        name = KeyKind(int.from_bytes(key[:2], "big")).name
        report.add(f"a row of kind {name} is there, and its key does not lead to it", fatal=True)


def _verify_drops(rows: Rows, fold: Fold, report: Report) -> None:
    report.rows += len(fold.drops)
    for shard in fold.drops.keys() | fold.dropped.keys():
        drop = fold.drops.get(shard, Drop(0))
        place = fold.dropped.get(shard, 0)
        if drop.pointer != place:
            report.add(
                f"shard {shard}: dropped at {place} by the log, at {drop.pointer} by its row"
            )


def _verify_shards(rows: Rows, fold: Fold, report: Report) -> None:
    seen: set[int] = set()
    for key, row in _of_kind(rows, KeyKind.SHARD, report):
        shard = shard_of(key)
        seen.add(shard)
        try:
            state, source = unpack_shard(row), unpack_source(row)
        except Damaged as error:
            report.add(f"shard {shard}: {error}")
            continue
        if shard in fold.unswept:
            continue
        folded = fold.tables.state(shard)
        ahead = state.position.offset > folded.position.offset
        equal = state.position == folded.position and state.sealed == folded.sealed
        if source != fold.tables.source(shard):
            report.add(f"shard {shard}: its row says it is a copy of {source}, its log not")
        if ahead or (shard not in fold.touched and not equal):
            report.add(f"shard {shard}: its row says {state}, its log {folded}")
    for shard in fold.tables.shards.keys() - seen - fold.touched:
        report.add(f"shard {shard}: its row is missing")


def _read_holes(rows: Rows, report: Report) -> dict[int, dict[int, Hole]]:
    """Shard -> first offset -> hole; those of the store's log are read with its rows."""
    found: dict[int, dict[int, Hole]] = {}
    for key, row in _of_kind(rows, KeyKind.HOLE, report):
        try:
            shard, first = shard_offset_of(key)
            hole = unpack_hole(row, shard, first)
        except Damaged as error:
            report.add(str(error))
            continue
        if shard != STORE_LOG:
            found.setdefault(shard, {})[first] = hole
    return found


def _verify_index(rows: Rows, fold: Fold, report: Report) -> None:
    """Chunks and holes cover every offset once, and lead to where the log has its record."""
    tiles: dict[int, list[Tile]] = {}
    for key, row in _of_kind(rows, KeyKind.SHARD_LOG, report):
        shard, first = shard_offset_of(key)
        try:
            unpack_pointers(row)
        except Damaged as error:
            report.add(f"shard {shard}, offset {first}: {error}")
            continue
        tiles.setdefault(shard, []).append((first, row))
    for shard, holes in fold.on_disk.items():
        tiles.setdefault(shard, []).extend(holes.items())
    for shard in (tiles.keys() | fold.pointers.keys()) - fold.unswept:
        of_shard = sorted(tiles.get(shard, ()), key=_first_of)
        _verify_tiles(shard, of_shard, fold, report)


def _verify_tiles(shard: int, tiles: list[Tile], fold: Fold, report: Report) -> None:
    pointers = fold.pointers.get(shard, array("Q"))
    passed = count = 0  # offsets, pointers
    for first, tile in tiles:
        if isinstance(tile, Hole):
            last, is_right = tile.last, fold.is_in_hole(shard, first, tile.last)
        else:
            held = unpack_pointers(tile)
            last = first + len(held) - 1
            is_right = list(held) == pointers[count : count + len(held)].tolist()
            count += len(held)
        if first != passed + 1 or not is_right:
            report.add(f"shard {shard}: its index from offset {first} on does not match the log")
        passed = last
    newest = fold.tables.state(shard).position.offset
    if shard not in fold.touched and passed != newest:
        report.add(f"shard {shard}: its index ends at {passed} of {newest}")


def _first_of(tile: Tile) -> int:
    return tile[0]


def _verify_heads(rows: Rows, fold: Fold, report: Report) -> None:
    left = {s for s, head in fold.tables.heads.items() if head} - fold.touched
    for key, row in _of_kind(rows, KeyKind.HEAD, report):
        try:
            subject, head = subject_of(key), unpack_head(row)
        except Damaged as error:
            report.add(f"a head cannot be read: {error}")
            continue
        left.discard(subject)
        is_judged = subject not in fold.touched and subject[0] not in fold.unswept
        if is_judged and fold.tables.heads.get(subject) != head:
            report.add(
                f"shard {subject[0]}: the head of {subject[1]}/{subject[2]} is not the log's"
            )
    for shard, component, entity in left:
        report.add(f"shard {shard}: the head of {component}/{entity} is missing")


def _verify_timers(rows: Rows, fold: Fold, report: Report) -> None:
    left = {
        (*timer, *subject)
        for subject, timer in fold.tables.timers.of.items()
        if subject not in fold.touched
    }
    for key, _ in _of_kind(rows, KeyKind.TIMER, report):
        try:
            kind, at_ms, *subject = timer_row_of(key)
        except Damaged as error:
            report.add(f"a timer cannot be read: {error}")
            continue
        found = (kind, at_ms, *subject)
        if found in left:
            left.discard(found)
        elif tuple(subject) not in fold.touched and subject[0] not in fold.unswept:
            report.add(f"shard {subject[0]}: a timer of {subject[1]}/{subject[2]} without a cause")
    for _, _, shard, component, entity in left:
        report.add(f"shard {shard}: the timer of {component}/{entity} is missing")


def _verify_keys(rows: Rows, fold: Fold, report: Report, oldest_hour: int) -> None:
    left = {
        hour_key(hour) + key_hash(subject, key): (subject[0], offset)
        for (subject, key), (hour, offset) in fold.tables.keys.items()
        if hour >= oldest_hour and subject not in fold.touched
    }
    for key, row in _of_kind(rows, KeyKind.IDEMPOTENCY, report):
        try:
            shard, offset = unpack_place(row)
        except Damaged as error:
            report.add(str(error))
            continue
        expected = left.pop(bytes(key), None)
        # What a dropped shard has left of a row that led nowhere is harmless until its hour passes.
        beyond = shard not in fold.drops and offset not in range(
            1, fold.tables.state(shard).position.offset + 1
        )
        if beyond or expected not in (None, (shard, offset)):
            report.add(f"shard {shard}, offset {offset}: an idempotency key leads there wrongly")
    for shard, offset in left.values():
        report.add(f"shard {shard}, offset {offset}: its idempotency key is missing")


def _verify_snapshots(rows: Rows, report: Report) -> None:
    for key, _ in _of_kind(rows, KeyKind.SNAPSHOT, report):
        number, piece = piece_of(key)
        if piece == 0:
            try:
                snapshots.read(rows, bytes(key[:-10]), number)
            except Damaged as error:
                report.add(f"shard {int.from_bytes(key[2:4], 'big')}: {error}")


def _verify_aheads(rows: Rows, fold: Fold, report: Report) -> None:
    """What the newest states name is there; what nobody names is not damage."""
    for _ in _of_kind(rows, KeyKind.AHEAD, report):
        pass
    for subject, (offset, name) in fold.named.items():
        head = fold.tables.head(subject)
        if head is not None and head.state_offset == offset and subject[0] not in fold.unswept:
            try:
                aheads.read(rows, subject, name)
            except Damaged as error:
                report.add(str(error))
