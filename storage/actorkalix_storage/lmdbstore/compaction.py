"""Reclaiming superseded records from the log, without stopping commits.

A pass walks the log once, from its oldest row to the one before the checkpoint mark as it stands
when the pass begins, a segment of some 50,000 frames at a time:

    scan: look at the frames, without changing anything -> punch: make holes in the shards' indexes
    -> rewrite: leave nothing of those frames in the log rows, or delete the rows

Each step is done in slices of a few milliseconds; the slices that write are a transaction each. The
holes come first, and shard by shard, for a chunk of a shard's index leads to rows all over the
segment. A frame whose offset is in a hole counts no more, so a crash between the steps leaves only
bytes, which the next scan finds. The row of the checkpoint keeps where the next segment begins.

What goes: states and replies that are older than the state of their entity's head *on disk*, from
the oldest on without a gap, so that what is left of an entity's records is a chain down to its
first hole. A record whose key may still be asked for stays, and so do all that are younger in its
entity; an event is never passed either, unless its subject is trimmed beyond it (`TRIMMED`): then
it goes as superseded states do, and where its key holds it, its payload goes at once. Then markers
of what cleaned entities have left, and void frames of dropped shards that are swept. Damaged and
hidden shards are left alone, and frames that cannot be read. Recovery needs none of it, for only
rows before the mark are touched.

A reader beside it has a transaction in which record and index are whole. When it begins another
one it may find a hole where its generations lead to a record, and takes it as one.
"""

from __future__ import annotations

from typing import TypeAlias

import lmdb
import msgspec

from actorkalix_storage.api import Damaged, Position, StoredRecord
from actorkalix_storage.api.frames import decode, encode
from actorkalix_storage.api.keys import STORE_LOG, log_key
from actorkalix_storage.failpoints import hit

from .checkpoint import put_mark
from .environment import Environment
from .estimate import Estimate
from .options import Options
from .reclaim import ROW_BYTES_OF_SLICE
from .rows import CheckpointRow, Hole, log_directory, pack_log
from .scan import Pass, Scan, State
from .shardlog import punch, put_hole

Rows: TypeAlias = "lmdb.Transaction[bytes]"


class Reclaimed(msgspec.Struct):
    """What was reclaimed since the store was opened.

    Attributes:
        frames: records and markers.
        bytes: of log rows.
        passes: that have come to their end.
        given_up: what was found damaged; nothing more is reclaimed until the store is opened again.
    """

    frames: int = 0
    bytes: int = 0
    passes: int = 0
    given_up: str = ""


class Compactor:
    """Passes over the log of one store; all calls come from its writer.

    Args:
        environment: where the rows are.
        options: bounds.
        estimate: says when a pass is worth its while.

    Attributes:
        reclaimed: what was reclaimed so far.
    """

    def __init__(self, environment: Environment, options: Options, estimate: Estimate) -> None:
        self._environment = environment
        self._options = options
        self._estimate = estimate
        self._pass: Pass | None = None
        self.reclaimed = Reclaimed()

    def slice(self, state: State) -> CheckpointRow | None:
        """Do one slice; return the checkpoint's row as it is then, or None with nothing to do.

        Raises:
            StoreFull, DurabilityLost: the slice is to be done again, or the store is lost.
        """
        if self.reclaimed.given_up:
            return None
        if self._pass is None:
            begin = state.mark.compacted
            if not begin and not self._is_due(state.mark.oldest_hour):
                return None
            self._pass = Pass(max(begin, 1), state.mark.sequence - 1)
            self._estimate.stale = {}  # it is found, or gone
        try:
            mark = self._step(self._pass, state)
        except (Damaged, lmdb.Error) as error:
            self.reclaimed.given_up = str(error)
            return None
        if self._pass.is_over:
            for hour, size in self._pass.stale.items():
                self._estimate.add(hour, size)
            self.reclaimed.passes += 1
            self._pass = None
        return mark

    def _is_due(self, oldest_hour: int) -> bool:
        log_bytes = self._estimate.log_bytes
        stale = self._estimate.stale_bytes(oldest_hour)
        is_large = log_bytes > self._options.compact_bytes
        return is_large and 0 < stale >= log_bytes * self._options.compact_percent // 100

    def _step(self, walk: Pass, state: State) -> CheckpointRow:
        steps_max = self._options.slice_rows
        if walk.is_scanning:
            rows = self._environment.read()
            try:
                scan = Scan(walk, rows, state)
                is_end = scan.run(steps_max, self._options.segment_frames)
            finally:
                rows.abort()
            if is_end:
                walk.is_scanning = False
            return state.mark
        if walk.gone:
            self._punch(walk, steps_max)
            return state.mark
        return self._rewrite(walk, state.mark, steps_max)

    def _punch(self, walk: Pass, steps_max: int) -> None:
        """Make holes of what is to go, so many at most."""
        steps = 0
        done: dict[int, int] = {}
        punched: list[int] = []
        with self._environment.write() as rows:
            for shard, gone in walk.gone.items():
                begin = 0
                while begin < len(gone) and steps < steps_max:
                    count, places = punch(rows, shard, gone[begin:])
                    punched += places
                    begin += count
                    steps += count
                done[shard] = begin
                if steps >= steps_max:
                    break
            hit("compaction.slice")
        for shard, count in done.items():
            rest = walk.gone.pop(shard)[count:]
            if rest:
                walk.gone[shard] = rest
        for place in punched:
            walk.leave_nothing(place)

    def _rewrite(self, walk: Pass, mark: CheckpointRow, steps_max: int) -> CheckpointRow:
        """Write so many log rows without what is gone; with the last ones the segment is over."""
        steps = size = freed = count = 0
        chosen: list[int] = []
        deleted: list[int] = []
        is_last = True
        with self._environment.write() as rows:
            for sequence, ordinals in walk.rows.items():
                if steps >= steps_max or size >= ROW_BYTES_OF_SLICE:
                    is_last = False
                    break
                shrunk = walk.shrunk.get(sequence, set[int]())
                before, after = _rewrite_row(rows, sequence, ordinals, shrunk)
                chosen.append(sequence)
                if before and not after:
                    deleted.append(sequence)
                steps, size = steps + 1, size + before
                freed, count = freed + before - after, count + len(ordinals)
            for hole in _holes_of(deleted):
                put_hole(rows, STORE_LOG, hole)
            log_bytes = max(mark.log_bytes - freed, 0)
            compacted = mark.compacted
            if is_last:
                compacted = walk.next if walk.next <= walk.end else 0
            mark = msgspec.structs.replace(mark, log_bytes=log_bytes, compacted=compacted)
            put_mark(rows, mark)
            hit("compaction.slice")
        for sequence in chosen:
            del walk.rows[sequence]
        self._estimate.log_bytes = max(self._estimate.log_bytes - freed, 0)
        self.reclaimed.frames += count
        self.reclaimed.bytes += freed
        if is_last:
            walk.begin_segment()
        return mark


def _rewrite_row(
    rows: Rows, sequence: int, ordinals: set[int], shrunk: set[int]
) -> tuple[int, int]:
    """Leave nothing of some frames of a log row, and no payload of others.

    Returns:
        Its size before and after, 0 when it is gone.
    """
    row = rows.get(log_key(sequence))
    if row is None:
        return 0, 0
    starts, shards = log_directory(row, sequence)
    left = [b"" if i in ordinals else row[starts[i] : starts[i + 1]] for i in range(len(shards))]
    for i in shrunk:
        left[i] = _without_payload(left[i], sequence)
    while left and not left[-1]:
        left.pop()
    if not left:
        rows.delete(log_key(sequence))
        return len(row), 0
    shorter = pack_log(sequence, left, shards[: len(left)])
    rows.put(log_key(sequence), shorter)
    return len(row), len(shorter)


def _without_payload(frame: bytes, sequence: int) -> bytes:
    found = decode(frame, 0, len(frame), sequence) if frame else None
    if not isinstance(found, StoredRecord):
        return frame
    record = msgspec.structs.replace(found.record, payload=b"")
    return encode(msgspec.structs.replace(found, record=record))


def _holes_of(sequences: list[int]) -> list[Hole]:
    """Log rows that were deleted, in order, as holes of the store's log."""
    found: list[Hole] = []
    for sequence in sequences:
        joins = found and found[-1].last + 1 == sequence
        first = found.pop().first if joins else sequence
        found.append(Hole(first, Position(0, 0, sequence)))
    return found
