"""Frames: the bytes of a record in the log.

A frame is 96 bytes of fixed header, then component id, entity id, idempotency key, reply and
payload. The checksum comes first and covers every byte after it; the lengths inside must add up to
the length outside, so that a flipped bit is found wherever it falls. Big-endian, no padding:

    crc32 u32 | version u8 | kind u8 | shard u16 | length u32 | lineage u64 | epoch u32 | offset u64
    | previous epoch u32 | previous offset u64 | subject version u64 | incarnation u64 | number u64
    | time u64 ms | expires u64 ms | len(component) u8 | len(key) u8 | len(entity) u16
    | len(reply) u32 | len(payload) u32 | component | entity | key | reply | payload

`length` is that of the whole frame. The kind's bit 0x40 says that the record waits for `apply`,
bit 0x80 that its payload was written ahead: the frame has the name of it (see `ahead`).
Besides records there are markers, which have no place of their own in a shard's log: see
`MarkerKind`. A marker keeps `after` in the place of the previous offset.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Mapping, Sequence
from zlib import crc32

import msgspec

from .errors import Damaged
from .positions import Position
from .records import Record, RecordKind, StoredRecord

FRAME_VERSION = 0  # format 0 may still change; the first release freezes it as 1
PENDING = 0x40
NAMED = 0x80

_CRC = struct.Struct(">I")
_FIXED = struct.Struct(">BBHIQIQIQQQQQQBBHII")
_HEADER_BYTES = _CRC.size + _FIXED.size


class MarkerKind(enum.IntEnum):
    """What a frame that is no record says of a shard's log."""

    APPLIED = 0x20  # the waiting records up to `offset` are in the tables
    TRUNCATED = 0x21  # the waiting records beyond `offset` never were
    REMOVED = 0x22  # here stood the record `offset` of a cleaned subject
    GAP = 0x23  # what stood beyond `after` through `offset` was removed before the shard was copied
    COPY = 0x24  # a copy begins: what follows is the shard as it stands elsewhere, up to `position`
    DROPPED = 0x25  # all frames of the shard before this one are void


class Marker(msgspec.Struct, frozen=True):
    """A frame that is no record.

    Attributes:
        kind: what it says.
        shard: of which shard.
        position: see `MarkerKind`.
        after: of a `GAP`: offset that it begins behind.
        time_ms: of a `COPY`: the shard's time at its source.
    """

    kind: MarkerKind
    shard: int
    position: Position
    after: int = 0
    time_ms: int = 0

    @property
    def first(self) -> int:
        """The first offset that it stands for; `position` has the last one."""
        return self.after + 1 if self.kind is MarkerKind.GAP else self.position.offset


class NamedRecord(StoredRecord, frozen=True):
    """A record whose payload was written ahead: what stands there is its name."""


_RECORDS = {int(kind): kind for kind in RecordKind}
_MARKERS = {int(kind): kind for kind in MarkerKind}


def encode(stored: StoredRecord, flags: int = 0) -> bytes:
    """The frame of a record; `flags` is 0 or `PENDING`."""
    if isinstance(stored, NamedRecord):
        flags |= NAMED
    record, position = stored.record, stored.position
    component, entity = record.component.encode(), record.entity.encode()
    key, reply, payload = record.key, record.reply, record.payload
    component_n, entity_n = len(component), len(entity)
    key_n, reply_n, payload_n = len(key), len(reply), len(payload)
    length = _HEADER_BYTES + component_n + entity_n + key_n + reply_n + payload_n
    previous_epoch, previous_offset = stored.previous
    kind = int(record.kind) | flags if flags else record.kind
    # fmt: off
    fixed = _FIXED.pack(
        FRAME_VERSION, kind, stored.shard, length,
        position.lineage, position.epoch, position.offset, previous_epoch, previous_offset,
        stored.version, stored.incarnation, record.number, record.time_ms, record.expires_ms,
        component_n, key_n, entity_n, reply_n, payload_n,
    )
    # fmt: on
    body = b"%b%b%b%b%b%b" % (fixed, component, entity, key, reply, payload)
    return _CRC.pack(crc32(body)) + body


def with_names(records: Sequence[StoredRecord], named: Mapping[int, bytes]) -> list[StoredRecord]:
    """The records, of which some have a name in the place of their payload."""
    found = list(records)
    for at, name in named.items():
        stored = found[at]
        found[at] = NamedRecord(
            *(stored.shard, stored.position, stored.previous, stored.version, stored.incarnation),
            msgspec.structs.replace(stored.record, payload=name),
        )
    return found


def encode_marker(marker: Marker) -> bytes:
    """The frame of a marker."""
    p = marker.position
    body = _FIXED.pack(
        FRAME_VERSION,
        marker.kind,
        marker.shard,
        _HEADER_BYTES,
        p.lineage,
        p.epoch,
        p.offset,
        0,
        marker.after,
        *(0,) * 3,
        marker.time_ms,
        *(0,) * 6,
    )
    return _CRC.pack(crc32(body)) + body


def is_pending(data: bytes | memoryview, start: int) -> bool:
    """Whether the frame at `start`, already decoded, waits for `apply`."""
    return bool(data[start + 5] & PENDING)


def decode(
    data: bytes | memoryview, start: int, end: int, sequence: int = 0
) -> StoredRecord | Marker:
    """The frame in `data[start:end]`.

    Args:
        sequence: number of the row that `data` is, for the message of an error.

    Raises:
        Damaged: the bytes are not what was written.
    """
    if not 0 <= start <= end - _HEADER_BYTES or end > len(data):
        raise Damaged(f"log row {sequence}, byte {start}: a frame of {end - start} bytes")
    if crc32(data[start + 4 : end]) != _CRC.unpack_from(data, start)[0]:
        raise Damaged(f"log row {sequence}, byte {start}: the checksum does not match")
    # fmt: off
    (version, kind, shard, length, lineage, epoch, offset, previous_epoch, previous_offset,
     subject_version, incarnation, number, time_ms, expires_ms,
     component_n, key_n, entity_n, reply_n, payload_n) = _FIXED.unpack_from(data, start + 4)
    # fmt: on
    if version != FRAME_VERSION:
        raise Damaged(f"log row {sequence}, byte {start}: frame format {version}")
    entity_at = start + _HEADER_BYTES + component_n
    key_at = entity_at + entity_n
    reply_at = key_at + key_n
    payload_at = reply_at + reply_n
    if not payload_at + payload_n == start + length == end:
        raise Damaged(f"log row {sequence}, byte {start}: the lengths do not add up")
    position = Position(lineage, epoch, offset)
    record_kind = _RECORDS.get(kind & ~(PENDING | NAMED))
    if record_kind is None:
        if kind not in _MARKERS:
            raise Damaged(f"log row {sequence}, byte {start}: frame kind {kind}")
        return Marker(_MARKERS[kind], shard, position, previous_offset, time_ms)
    try:
        component = str(data[entity_at - component_n : entity_at], "utf-8")
        entity = str(data[entity_at:key_at], "utf-8")
    except UnicodeDecodeError as error:
        raise Damaged(f"log row {sequence}, byte {start}: {error}") from error
    record = Record(
        record_kind,
        component,
        entity,
        number,
        time_ms,
        bytes(data[payload_at:end]),
        bytes(data[key_at:reply_at]),
        bytes(data[reply_at:payload_at]),
        expires_ms,
    )
    previous = (previous_epoch, previous_offset)
    make = NamedRecord if kind & NAMED else StoredRecord
    return make(shard, position, previous, subject_version, incarnation, record)
