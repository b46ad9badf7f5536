"""Shards on their way: pages out of a log, and the frames that a page becomes in another.

A copy keeps every position, so it is told apart from its source by nothing but what was removed
there. Records of cleaned subjects stay behind, stripped already or not: a life is copied whole or
not at all. Where they stood the copy has a `GAP` marker, which moves the shard on to the offset
before the next record. Its epoch is that of the record before: an epoch begins with a record that
is never removed.

A copy in the log is a `COPY` marker, which names the source's position and the shard's time there,
and then records and gaps up to that position. It is complete when the shard has reached it; nothing
else has to be written for that, so no crash can come between.
"""

from __future__ import annotations

import msgspec

from .api import Position, RecordKind, ShardPage, Snapshot, StoredRecord
from .api.frames import Marker, MarkerKind
from .reading import Source, is_present

PAGE_BYTES_MAX = 4 * 1024**2
PAGE_STEPS_MAX = 10_000  # removed records included: bounds the time that a page takes
_RECORD_BYTES = 512  # of header, ids and key at most


def page_of(
    source: Source, shard: int, after: int, newest: Position, time_ms: int, limit: int
) -> ShardPage | None:
    """See `Store.export`; `newest` is the last applied position, `time_ms` the shard's time."""
    records: list[StoredRecord] = []
    snapshots: list[tuple[str, str, Snapshot]] = []
    through = after = max(after, 0)
    size = 0
    for _ in range(PAGE_STEPS_MAX):
        offset = through + 1
        if offset > newest.offset or len(records) >= max(limit, 1):
            break
        stored = source.at(shard, offset) or _without_state(source.bare(shard, offset))
        if stored is None:
            offset = source.gap_end(shard, offset)
        elif is_present(source, stored):
            snapshot = _snapshot_at(source, stored)
            size += _size(stored, snapshot)
            if records and size > PAGE_BYTES_MAX:
                break
            records.append(stored)
            if snapshot:
                snapshots.append((stored.record.component, stored.record.entity, snapshot))
        through = offset
    if through == after:
        return None
    return ShardPage(after, through, tuple(records), tuple(snapshots), time_ms)


def _without_state(stored: StoredRecord | None) -> StoredRecord | None:
    """A record whose state was superseded and is gone: what it says besides changes nothing."""
    if stored is None:
        return None
    record = msgspec.structs.replace(stored.record, kind=RecordKind.REPLY, payload=b"")
    return msgspec.structs.replace(stored, record=record)


def _snapshot_at(source: Source, stored: StoredRecord) -> Snapshot | None:
    """The subject's newest snapshot, where this is the subject's newest record."""
    subject = (stored.shard, stored.record.component, stored.record.entity)
    head = source.head(subject) if stored.record.component else None
    if head is None or head.offset != stored.position.offset:
        return None
    return source.snapshot(subject, head)


def _size(stored: StoredRecord, snapshot: Snapshot | None) -> int:
    size = len(stored.record.payload) + len(stored.record.reply) + _RECORD_BYTES
    return size + (len(snapshot.payload) if snapshot else 0)


def frames_of(
    shard: int, source: Position, page: ShardPage, here: Position
) -> list[StoredRecord | Marker]:
    """The frames that continue a copy.

    Args:
        shard: of which shard.
        source: newest position of the shard where it comes from.
        page: what to continue with; what is here already is passed over.
        here: last position of the copy so far.

    Raises:
        ValueError: the page cannot follow.
    """
    _check(shard, source, page, here)
    frames: list[StoredRecord | Marker] = []
    known = here
    for stored in page.records:
        position = stored.position
        if position.offset <= known.offset:
            continue
        if position.epoch < known.epoch:
            raise ValueError(f"{_of(shard)}epoch {position.epoch} after epoch {known.epoch}")
        if position.offset > known.offset + 1:
            frames.append(_gap(shard, known, _moved(known, position.offset - 1)))
        frames.append(stored)
        known = position
    if page.through > known.offset:
        reached = page.through == source.offset
        end = source if reached else _moved(known, page.through)
        frames.append(_gap(shard, known, end))
    elif known.offset == source.offset and known != source:
        raise ValueError(f"{_of(shard)}it ends at {known}, not at {source}")
    return frames


def _check(shard: int, source: Position, page: ShardPage, here: Position) -> None:
    if not page.after <= here.offset < page.through <= source.offset:
        covered = f"offsets {page.after + 1} to {page.through}"
        raise ValueError(f"{_of(shard)}{covered} after {here.offset} of {source.offset}")
    offset = page.after
    for stored in page.records:
        if stored.shard != shard or not offset < stored.position.offset <= page.through:
            place = f"offset {stored.position.offset} of shard {stored.shard}"
            raise ValueError(f"{_of(shard)}{place} after offset {offset}")
        offset = stored.position.offset


def _gap(shard: int, after: Position, end: Position) -> Marker:
    return Marker(MarkerKind.GAP, shard, end, after=after.offset)


def _moved(position: Position, offset: int) -> Position:
    return Position(position.lineage, position.epoch, offset)


def _of(shard: int) -> str:
    return f"a page of shard {shard} does not follow: "
