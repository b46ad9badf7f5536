"""Values of rows. Big-endian, no padding; a value that cannot be read raises `Damaged`.

A log row is a directory and the frames of one commit:

    crc32 u32 of directory and sequence | count u16 | start u32 x count | shard u16 x count
    | frame x count

so a frame is found by its ordinal, a frame may shrink without moving the others' ordinals, and the
shard of a damaged frame is known from a place that the damage has not touched. Nothing is left of
a frame that was reclaimed, or that is void (its shard was dropped after it). A *pointer* is
sequence * 65,536 + ordinal.

Home table, heads, shards, drops and holes carry a checksum of their own, before what it is of:
nothing that they say could be compared with anything else when they are read.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from hashlib import blake2b
from zlib import crc32

import msgspec

from actorkalix_storage.api import Damaged, Head, HomeTable, Position, ShardState
from actorkalix_storage.api.keys import head_key
from actorkalix_storage.tables import Subject

FORMAT = 0  # may still change; the first release freezes it as 1
FRAMES_MAX = 65_535  # of a row: an ordinal has 16 bits
CHUNK_POINTERS_MAX = 512  # 4 KiB: one page's worth

_DIRECTORY = struct.Struct(">IH")
_U32 = struct.Struct(">I")
_HEAD = struct.Struct(">QQQIQQQQQ")
_SHARD = struct.Struct(">QIQQ?Q")
_POSITION = struct.Struct(">QIQ")
_DROP = struct.Struct(">HQ?")
_PLACE = struct.Struct(">HQ")
_OFFSET = struct.Struct(">Q")
_HOLE = struct.Struct(">HQQIQ")
_MANIFEST = struct.Struct(">QQQI")


class IdentityRow(msgspec.Struct, frozen=True):
    """The row `identity`: whose folder this is.

    `inode` is that of the data file when the lineage began: a copy of the folder has another one.
    """

    format: int
    cluster: str
    service: str
    number: int
    shards: int
    lineage: int
    inode: int


class CheckpointRow(msgspec.Struct, frozen=True):
    """The row `checkpoint`: all rows up to log row `sequence` are in the tables on disk.

    `damaged` are shards that must not be served; `oldest_hour` is the first hour of keys that
    counts; `log_bytes` and `stale` are an `estimate`; `compacted` is the log row that an unfinished
    pass of `compaction` goes on with, 0 where there is none.
    """

    sequence: int = 0
    damaged: dict[int, str] = {}
    oldest_hour: int = 0
    log_bytes: int = 0
    stale: dict[int, int] = {}
    compacted: int = 0


class Drop(msgspec.Struct, frozen=True):
    """The row of a shard that was dropped; it stays for ever, for so does the void in the log.

    Attributes:
        pointer: where the `DROPPED` marker is; frames of the shard before it are void.
        is_swept: what the shard had in the tables is gone, and what they have is newer.
    """

    pointer: int
    is_swept: bool = False


class Hole(msgspec.Struct, frozen=True):
    """Offsets of a shard (or sequences of the store's log) of which nothing is left.

    Attributes:
        first: the first one.
        position: of the last one; all of them have its lineage and epoch.
    """

    first: int
    position: Position

    @property
    def last(self) -> int:
        """The last one."""
        return self.position.offset


def pointer(sequence: int, ordinal: int) -> int:
    """Where a frame is."""
    return sequence << 16 | ordinal


def pack_log(sequence: int, frames: Sequence[bytes], shards: Sequence[int]) -> bytes:
    """The row of a commit."""
    count = len(frames)
    assert 0 < count <= FRAMES_MAX
    starts: list[int] = []
    at = _DIRECTORY.size + 6 * count
    for frame in frames:
        starts.append(at)
        at += len(frame)
    directory = struct.pack(f">{count}I", *starts) + struct.pack(f">{count}H", *shards)
    crc = crc32(directory, sequence & 0xFFFFFFFF)
    return b"".join((_DIRECTORY.pack(crc, count), directory, *frames))


def log_directory(
    row: bytes | memoryview, sequence: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Starts (and, as one more, the end) and shards of the frames in a log row."""
    if len(row) < _DIRECTORY.size:
        raise Damaged(f"log row {sequence}: {len(row)} bytes")
    crc, count = _DIRECTORY.unpack_from(row)
    end = _DIRECTORY.size + 6 * count
    if len(row) < end or crc32(row[_DIRECTORY.size : end], sequence & 0xFFFFFFFF) != crc:
        raise Damaged(f"log row {sequence}: the checksum of its directory does not match")
    starts = struct.unpack_from(f">{count}I", row, _DIRECTORY.size)
    shards = struct.unpack_from(f">{count}H", row, _DIRECTORY.size + 4 * count)
    return (*starts, len(row)), shards


def frame_count(row: bytes | memoryview) -> int:
    """The number of frames of a log row, by the directory unchecked."""
    if len(row) < _DIRECTORY.size:
        raise Damaged(f"a log row of {len(row)} bytes")
    count: int = _DIRECTORY.unpack_from(row)[1]
    return count


def frame_bounds(row: bytes | memoryview, ordinal: int) -> tuple[int, int]:
    """Start and end of a frame, by the directory unchecked: a frame has a checksum of its own."""
    count = frame_count(row)
    if ordinal >= count or len(row) < _DIRECTORY.size + 6 * count:
        raise Damaged(f"frame {ordinal} of a log row with {count}")
    at = _DIRECTORY.size + 4 * ordinal
    start: int = _U32.unpack_from(row, at)[0]
    end: int = len(row) if ordinal + 1 == count else _U32.unpack_from(row, at + 4)[0]
    return start, end


def pack_head(head: Head) -> bytes:
    """The row of a head; what few subjects have stands at its end, where they have it."""
    trimmed = _OFFSET.pack(head.trimmed) if head.trimmed else b""
    return _sealed(
        _HEAD.pack(
            head.version,
            head.number,
            head.incarnation,
            head.epoch,
            head.offset,
            head.state_offset,
            head.deleted_ms,
            head.expires_ms,
            head.time_ms,
        )
        + trimmed
    )


def unpack_head(row: bytes | memoryview) -> Head:
    """Read the row of a head."""
    body = _unsealed(row, "a head")
    if len(body) not in (_HEAD.size, _HEAD.size + _OFFSET.size):
        raise Damaged(f"a head of {len(body)} bytes")
    head = Head(*_HEAD.unpack_from(body))
    if len(body) == _HEAD.size:
        return head
    return msgspec.structs.replace(head, trimmed=_OFFSET.unpack_from(body, _HEAD.size)[0])


def pack_shard(state: ShardState, source: Position | None = None) -> bytes:
    """The row of a shard, and of what it is a copy of."""
    p = state.position
    body = _SHARD.pack(p.lineage, p.epoch, p.offset, state.time_ms, state.sealed, state.outbox)
    if source is not None:
        body += _POSITION.pack(source.lineage, source.epoch, source.offset)
    return _sealed(body)


def unpack_shard(row: bytes | memoryview) -> ShardState:
    """Read the row of a shard."""
    body = _unsealed(row, "a shard's row")
    if len(body) not in (_SHARD.size, _SHARD.size + _POSITION.size):
        raise Damaged(f"a shard's row of {len(body)} bytes")
    lineage, epoch, offset, time_ms, sealed, outbox = _SHARD.unpack_from(body)
    return ShardState(Position(lineage, epoch, offset), time_ms, sealed, outbox)


def unpack_source(row: bytes | memoryview) -> Position | None:
    """What the row of a shard says it is a copy of; `unpack_shard` has read it."""
    if len(row) == _U32.size + _SHARD.size:
        return None
    return Position(*_POSITION.unpack_from(row, _U32.size + _SHARD.size))


def pack_drop(shard: int, drop: Drop) -> bytes:
    """The row of a drop."""
    return _sealed(_DROP.pack(shard, drop.pointer, drop.is_swept))


def unpack_drop(row: bytes | memoryview, shard: int) -> Drop:
    """Read the row of a drop."""
    body = _unsealed(row, f"shard {shard}: the row of its drop")
    if len(body) != _DROP.size:
        raise Damaged(f"shard {shard}: the row of its drop of {len(body)} bytes")
    its_shard, place, is_swept = _DROP.unpack(body)
    if its_shard != shard:
        raise Damaged(f"shard {shard}: the row of its drop is that of shard {its_shard}")
    return Drop(place, is_swept)


def pack_hole(shard: int, hole: Hole) -> bytes:
    """The row of a hole."""
    p = hole.position
    return _sealed(_HOLE.pack(shard, hole.first, p.lineage, p.epoch, p.offset))


def unpack_hole(row: bytes | memoryview, shard: int, first: int) -> Hole:
    """Read the row of a hole; `shard` and `first` are those in its key."""
    body = _unsealed(row, f"shard {shard}: the hole from offset {first} on")
    if len(body) != _HOLE.size:
        raise Damaged(f"shard {shard}: the hole from offset {first} on of {len(body)} bytes")
    its_shard, its_first, lineage, epoch, last = _HOLE.unpack(body)
    if (its_shard, its_first) != (shard, first) or last < first:
        raise Damaged(f"shard {shard}: the hole from offset {first} on is another one's")
    return Hole(first, Position(lineage, epoch, last))


def pack_homes(table: HomeTable) -> bytes:
    """The row of the home table."""
    return _sealed(msgspec.msgpack.encode(table))


def unpack_homes(row: bytes | memoryview) -> HomeTable:
    """Read the row of the home table."""
    body = _unsealed(row, "the home table")
    try:
        return msgspec.msgpack.decode(body, type=HomeTable)
    except msgspec.MsgspecError as error:
        raise Damaged(f"the home table cannot be read: {error}") from error


def _sealed(body: bytes) -> bytes:
    """A row with its checksum."""
    return _U32.pack(crc32(body)) + body


def _unsealed(row: bytes | memoryview, what: str) -> bytes | memoryview:
    """What `_sealed` was given."""
    body = row[_U32.size :]
    if len(row) < _U32.size or crc32(body) != _U32.unpack_from(row)[0]:
        raise Damaged(f"{what}: the checksum does not match")
    return body


def pack_pointers(pointers: Sequence[int]) -> bytes:
    """A chunk of a shard's index."""
    return struct.pack(f">{len(pointers)}Q", *pointers)


def unpack_pointers(row: bytes | memoryview) -> tuple[int, ...]:
    """Read a chunk of a shard's index."""
    if len(row) % 8:
        raise Damaged(f"a chunk of pointers of {len(row)} bytes")
    return struct.unpack(f">{len(row) // 8}Q", row)


def pointer_at(row: bytes | memoryview, i: int) -> int:
    """The i-th pointer of a chunk, or 0 beyond its end."""
    value: int = _OFFSET.unpack_from(row, 8 * i)[0] if 0 <= 8 * i <= len(row) - 8 else 0
    return value


def key_hash(subject: Subject, key: bytes) -> bytes:
    """16 bytes for an idempotency key of a subject."""
    return blake2b(head_key(*subject) + key, digest_size=16).digest()


def pack_place(shard: int, offset: int) -> bytes:
    """The row of an idempotency key."""
    return _PLACE.pack(shard, offset)


def unpack_place(row: bytes | memoryview) -> tuple[int, int]:
    """Read the row of an idempotency key: shard and offset."""
    if len(row) != _PLACE.size:
        raise Damaged(f"an idempotency row of {len(row)} bytes")
    shard, offset = _PLACE.unpack(row)
    return shard, offset


def pack_offset(offset: int) -> bytes:
    """The row of a life to strip."""
    return _OFFSET.pack(offset)


def unpack_offset(row: bytes | memoryview) -> int:
    """Read the row of a life to strip."""
    if len(row) != _OFFSET.size:
        raise Damaged(f"an offset of {len(row)} bytes")
    offset: int = _OFFSET.unpack(row)[0]
    return offset


class Manifest(msgspec.Struct, frozen=True):
    """What stands before the bytes of a snapshot's piece 0.

    `crc` is over the key of the piece, the other fields and all bytes.
    """

    incarnation: int
    offset: int
    length: int
    crc: int


MANIFEST_BYTES = _MANIFEST.size


def pack_manifest(m: Manifest) -> bytes:
    """The beginning of a snapshot's piece 0."""
    return _MANIFEST.pack(m.incarnation, m.offset, m.length, m.crc)


def unpack_manifest(row: bytes | memoryview) -> Manifest:
    """Read the beginning of a snapshot's piece 0."""
    if len(row) < _MANIFEST.size:
        raise Damaged(f"a snapshot's first piece of {len(row)} bytes")
    return Manifest(*_MANIFEST.unpack_from(row))
