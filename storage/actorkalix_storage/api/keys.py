"""Keys of the one ordered table: two bytes of kind, then what the kind says.

Numbers are big-endian, so that byte order is number order. Texts are UTF-8, whose byte order is
code point order, which is also how Python compares `str`: a merge of rows and of memory needs no
other order.

A kind, once released, never changes its meaning; a retired one stays here as reserved. `LOG` is
the highest for ever: LMDB appends at the end of the table without searching, and splits no page,
when the new key is the last one.
"""

from __future__ import annotations

import enum
import struct

from .errors import Damaged

KEY_BYTES_MAX = 511  # LMDB's MDB_MAXKEYSIZE
COMPONENT_BYTES_MAX = 64
ENTITY_BYTES_MAX = 256
SEQUENCE_MAX = (1 << 48) - 1  # a pointer packs a sequence and an ordinal of 16 bits
STORE_LOG = 0xFFFF  # in a `hole_key`: no shard, the offsets are sequences of the store's log


@enum.unique
class KeyKind(enum.IntEnum):
    """What a row is. Reserved kinds have no rows yet."""

    META = 0x0100  # name -> identity, checkpoint, ...
    HOME = 0x0200  # nothing -> the home table: which store has a shard's records
    SHARD = 0x0300  # shard -> epoch, last position, time, seal, where a copy came from
    HEAD = 0x0400  # subject -> its newest record in short
    SHARD_LOG = 0x0500  # shard, first offset -> pointers of up to 512 records in a row
    SNAPSHOT = 0x0600  # subject, number, piece -> 64 KiB of a folded state; piece 0 makes it valid
    IDEMPOTENCY = 0x0700  # hour, hash of subject and key -> shard, offset
    TIMER = 0x0800  # kind, time, subject -> nothing
    RECLAIM = 0x0900  # shard, offset of a CLEANED record -> next offset to strip
    CURSOR = 0x0A00  # reserved: how far a consumer has read
    OUTBOX = 0x0B00  # reserved: messages on their way to another shard
    INBOX = 0x0C00  # reserved: messages that wait for their entity
    MARK = 0x0D00  # reserved: last number taken from a sender
    DROP = 0x0E00  # shard -> where it was dropped, whether its rows are swept away
    HOLE = 0x0F00  # shard, first offset -> last offset of records that were reclaimed
    AHEAD = 0x1000  # subject, number, piece -> 256 KiB of a state that a record names
    LOG = 0xFF00  # store sequence -> all records of a commit


_SHARD = struct.Struct(">HH")
_SUBJECT = struct.Struct(">HHB")
_SHARD_OFFSET = struct.Struct(">HHQ")
_SEQUENCE = struct.Struct(">HQ")
_HOUR = struct.Struct(">HI")
_TIMER = struct.Struct(">HBQ")
_TIMER_SUBJECT = struct.Struct(">HB")
_PIECE = struct.Struct(">QH")
_LENGTH = struct.Struct(">H")


def kind_key(kind: int) -> bytes:
    """The prefix of all rows of a kind."""
    return _LENGTH.pack(kind)


def meta_key(name: str) -> bytes:
    """The row of a name, e.g. `identity`."""
    return _checked(kind_key(KeyKind.META) + name.encode())


def shard_key(shard: int) -> bytes:
    """The row of a shard's state."""
    return _SHARD.pack(KeyKind.SHARD, shard)


def shard_rows_key(kind: int, shard: int) -> bytes:
    """The prefix of a shard's rows of a kind whose keys begin with the shard."""
    return _SHARD.pack(kind, shard)


def drop_key(shard: int) -> bytes:
    """The row that says that a shard was dropped."""
    return _SHARD.pack(KeyKind.DROP, shard)


def shard_of(key: bytes | memoryview) -> int:
    """The shard in a `shard_key`, a `drop_key` or what begins like one."""
    shard: int = _SHARD.unpack_from(key)[1]
    return shard


def log_key(sequence: int) -> bytes:
    """The row of a commit; sequences begin at 1 and have no gaps."""
    assert 0 <= sequence <= SEQUENCE_MAX
    return _SEQUENCE.pack(KeyKind.LOG, sequence)


def sequence_of(key: bytes | memoryview) -> int:
    """The sequence in a `log_key`."""
    sequence: int = _SEQUENCE.unpack(key)[1]
    return sequence


def chunk_key(shard: int, offset: int) -> bytes:
    """The row of a shard's pointers that begins with `offset`."""
    return _SHARD_OFFSET.pack(KeyKind.SHARD_LOG, shard, offset)


def hole_key(shard: int, first: int) -> bytes:
    """The row of a hole in a shard's log, or in the store's (`STORE_LOG`), that begins there."""
    return _SHARD_OFFSET.pack(KeyKind.HOLE, shard, first)


def reclaim_key(shard: int, offset: int) -> bytes:
    """The row that says: strip the life that the `CLEANED` record at `offset` ended."""
    return _SHARD_OFFSET.pack(KeyKind.RECLAIM, shard, offset)


def shard_offset_of(key: bytes | memoryview) -> tuple[int, int]:
    """Shard and offset in a `chunk_key`, `hole_key` or `reclaim_key`.

    Raises:
        Damaged: it cannot be read.
    """
    if len(key) != _SHARD_OFFSET.size:
        raise Damaged(f"a key of {len(key)} bytes for a shard and an offset")
    _, shard, offset = _SHARD_OFFSET.unpack(key)
    return shard, offset


def component_key(shard: int, component: str) -> bytes:
    """The prefix of the heads of a component in a shard."""
    name = component.encode()
    return _SUBJECT.pack(KeyKind.HEAD, shard, len(name)) + name


def head_key(shard: int, component: str, entity: str) -> bytes:
    """The row of a subject's head."""
    name = component.encode()
    return _checked(_SUBJECT.pack(KeyKind.HEAD, shard, len(name)) + name + entity.encode())


def subject_of(key: bytes | memoryview) -> tuple[int, str, str]:
    """Shard, component and entity in a `head_key`.

    Raises:
        Damaged: it cannot be read.
    """
    _, shard, length = _SUBJECT.unpack_from(key)
    return shard, _text(key[5 : 5 + length]), _text(key[5 + length :])


def snapshots_key(shard: int, component: str, entity: str) -> bytes:
    """The prefix of a subject's snapshots; with its length no id is the prefix of another."""
    name, id_ = component.encode(), entity.encode()
    prefix = _SUBJECT.pack(KeyKind.SNAPSHOT, shard, len(name)) + name
    return prefix + _LENGTH.pack(len(id_)) + id_


def snapshot_key(prefix: bytes, number: int, piece: int) -> bytes:
    """One piece of a snapshot; `prefix` is the subject's `snapshots_key`."""
    return _checked(prefix + _PIECE.pack(number, piece))


def aheads_key(shard: int, component: str, entity: str) -> bytes:
    """The prefix of what was written ahead for a subject; see `snapshots_key`."""
    return kind_key(KeyKind.AHEAD) + snapshots_key(shard, component, entity)[2:]


def ahead_key(prefix: bytes, number: int, piece: int) -> bytes:
    """One piece of it; `prefix` is the subject's `aheads_key`."""
    return snapshot_key(prefix, number, piece)


def subject_ahead(key: bytes | memoryview) -> tuple[int, str, str]:
    """Shard, component and entity in an `ahead_key`.

    Raises:
        Damaged: it cannot be read.
    """
    try:
        _, shard, length = _SUBJECT.unpack_from(key)
        begin = _SUBJECT.size + length
        end = begin + _LENGTH.size + _LENGTH.unpack_from(key, begin)[0]
    except struct.error as error:
        raise Damaged(f"the key of a state that was written ahead: {error}") from error
    if len(key) != end + _PIECE.size:
        raise Damaged(f"the key of a state that was written ahead has {len(key)} bytes")
    return (
        shard,
        _text(key[_SUBJECT.size : begin]),
        _text(key[begin + _LENGTH.size : end]),
    )


def piece_of(key: bytes | memoryview) -> tuple[int, int]:
    """Number and piece in a `snapshot_key`."""
    number, piece = _PIECE.unpack_from(key, len(key) - _PIECE.size)
    return number, piece


def hour_key(hour: int) -> bytes:
    """The prefix of the idempotency keys recorded in an hour since 1970."""
    return _HOUR.pack(KeyKind.IDEMPOTENCY, hour)


def hour_of(key: bytes | memoryview) -> int:
    """The hour in an idempotency row's key."""
    hour: int = _HOUR.unpack_from(key)[1]
    return hour


def timers_key(kind: int, at_ms: int = 0) -> bytes:
    """The prefix of the timers of a kind from a time on."""
    return _TIMER.pack(KeyKind.TIMER, kind, at_ms)


def timer_key(kind: int, at_ms: int, shard: int, component: str, entity: str) -> bytes:
    """The row of a subject's timer."""
    name = component.encode()
    subject = _TIMER_SUBJECT.pack(shard, len(name)) + name + entity.encode()
    return _checked(_TIMER.pack(KeyKind.TIMER, kind, at_ms) + subject)


def timer_of(key: bytes | memoryview) -> tuple[int, int, int, str, str]:
    """Kind, time, shard, component and entity in a `timer_key`.

    Raises:
        Damaged: it cannot be read.
    """
    _, kind, at_ms = _TIMER.unpack_from(key)
    shard, length = _TIMER_SUBJECT.unpack_from(key, _TIMER.size)
    begin = _TIMER.size + _TIMER_SUBJECT.size
    component = _text(key[begin : begin + length])
    return kind, at_ms, shard, component, _text(key[begin + length :])


def _text(raw: bytes | memoryview) -> str:
    try:
        return str(raw, "utf-8")
    except UnicodeDecodeError as error:
        raise Damaged(f"an id in the key of a row: {error}") from error


def _checked(key: bytes) -> bytes:
    assert len(key) <= KEY_BYTES_MAX, f"a key of {len(key)} bytes"
    return key
