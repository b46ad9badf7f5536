"""Sweeping up after a dropped shard, slice by slice, in any order: nothing of it is shown.

First the log: from the newest record to the oldest, as the shard's index leads there, frames are
emptied and the rows of their idempotency keys deleted; the index shrinks with it, so the next slice
goes on where this one ended. Then all rows whose keys begin with the shard, and a head's timer with
the head. The last slice says in the drop's row that it is done; only then may the shard begin anew.

Log rows that a recovery will replay are rewritten too, unlike for a cleaned subject: a recovery
does not look at frames before a shard's `DROPPED` marker, whether anything is left of them or not,
and all other frames of a row stay byte for byte. What cannot be read is left as it is: it counts no
more, and `verify` goes on naming it.
"""

from __future__ import annotations

from typing import TypeAlias

import lmdb

from actorkalix_storage.api import Damaged, StoredRecord
from actorkalix_storage.api.keys import (
    KeyKind,
    chunk_key,
    drop_key,
    log_key,
    shard_rows_key,
    subject_of,
    timer_key,
)
from actorkalix_storage.failpoints import hit
from actorkalix_storage.tables import timer_of

from .environment import Environment
from .reclaim import ROW_BYTES_OF_SLICE, remove
from .rows import Drop, pack_drop, pack_pointers, unpack_head, unpack_pointers

Rows: TypeAlias = "lmdb.Transaction[bytes]"

_KINDS = (
    KeyKind.SHARD_LOG,  # what could not be read of it
    KeyKind.HOLE,
    KeyKind.HEAD,
    KeyKind.SNAPSHOT,
    KeyKind.AHEAD,
    KeyKind.RECLAIM,
    KeyKind.SHARD,
)


def sweep(environment: Environment, shard: int, drop: Drop, steps_max: int) -> Drop:
    """Remove a slice of what a dropped shard has left behind; return the drop as it is then."""
    with environment.write() as rows:
        steps = _empty_log(rows, shard, steps_max)
        for kind in _KINDS:
            if steps < steps_max:
                steps += _delete(rows, shard, kind, steps_max - steps)
        if steps < steps_max:
            drop = Drop(drop.pointer, is_swept=True)
            rows.put(drop_key(shard), pack_drop(shard, drop))
        hit("sweep.slice")
    return drop


def _empty_log(rows: Rows, shard: int, steps_max: int) -> int:
    """Empty the newest frames that the index leads to; return the number of steps."""
    steps = size = 0
    while steps < steps_max and (chunk := _last_chunk(rows, shard)):
        key, pointers = chunk
        while pointers and steps < steps_max:
            if size >= ROW_BYTES_OF_SLICE:
                steps = steps_max
                break
            sequence = pointers[-1] >> 16
            ordinals: set[int] = set()
            while pointers and pointers[-1] >> 16 == sequence:
                ordinals.add(pointers.pop() & 0xFFFF)
                steps += 1
            size += _empty(rows, shard, sequence, ordinals)
        if pointers:
            rows.put(key, pack_pointers(pointers))
        else:
            rows.delete(key)
    return steps


def _last_chunk(rows: Rows, shard: int) -> tuple[bytes, list[int]] | None:
    """Key and pointers of the last chunk of the shard's index that can be read."""
    cursor = rows.cursor()
    found = cursor.prev() if cursor.set_range(chunk_key(shard + 1, 0)) else cursor.last()
    prefix = shard_rows_key(KeyKind.SHARD_LOG, shard)
    while found and cursor.key().startswith(prefix):
        try:
            return cursor.key(), list(unpack_pointers(cursor.value()))
        except Damaged:
            found = cursor.prev()
    return None


def _empty(rows: Rows, shard: int, sequence: int, ordinals: set[int]) -> int:
    try:
        return remove(rows, shard, sequence, ordinals, _nothing)
    except Damaged:
        return len(rows.get(log_key(sequence)) or b"")


def _nothing(stored: StoredRecord) -> bytes:
    return b""


def _delete(rows: Rows, shard: int, kind: KeyKind, steps_max: int) -> int:
    """Delete rows of a kind; return how many."""
    prefix = shard_rows_key(kind, shard)
    cursor = rows.cursor()
    gone: list[bytes] = []
    found = cursor.set_range(prefix)
    while found and len(gone) < steps_max and cursor.key().startswith(prefix):
        gone.append(cursor.key())
        if kind is KeyKind.HEAD:
            gone += _timer_key(cursor.key(), cursor.value())
        found = cursor.next()
    for key in gone:
        rows.delete(key)
    return len(gone)


def _timer_key(key: bytes, row: bytes) -> list[bytes]:
    """The key of the timer that a head asks for."""
    try:
        timer, subject = timer_of(unpack_head(row)), subject_of(key)
    except Damaged:
        return []
    return [timer_key(timer[0], timer[1], *subject)] if timer else []
