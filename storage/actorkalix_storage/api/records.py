"""Records: everything durable is one of these, and every table is a pure function of them.

A command becomes one `Append`: one or more records of one *subject* (component id, entity id) that
become durable together or not at all. The storage reads the header of a record and never its
payload.

A subject's `version` counts its records since it began, `number` its changes (events or states).
The version stands for the previous position in an `Append`: a position is not known while the
append before is still in flight, a version is. The stored frame holds the true previous position.
"""

from __future__ import annotations

import enum
import struct

import msgspec

from .positions import Position


class RecordKind(enum.IntEnum):
    """What a record does to the tables. A number once released never changes its meaning."""

    EVENT = 1  # one more change of the subject; earlier ones stay
    STATE = 2  # the subject's whole state; it supersedes all states before
    REPLY = 3  # changes nothing: a reply remembered under an idempotency key
    DELETED = 4  # the subject takes no more changes; it is readable until it is cleaned
    CLEANED = 5  # the subject is forgotten; its id begins anew
    EPOCH = 6  # a new owner of the shard; no subject
    OUTBOX = 7  # changes nothing: messages to others, which leave when they are durable
    TRIMMED = 8  # nobody needs the subject's records up to an offset any more, see `trim_payload`


class Record(msgspec.Struct, frozen=True):
    """A record as a writer brings it.

    Attributes:
        kind: what it does.
        component: component id, 1 to 64 bytes of UTF-8 ("" for `EPOCH`).
        entity: entity id, 1 to 256 bytes of UTF-8 ("" for `EPOCH`).
        number: the subject's number of changes after this record (for kinds without a change:
            unchanged).
        time_ms: milliseconds since 1970 by the shard's clock, which never goes back.
        payload: opaque bytes of the floor above.
        key: 16 bytes, the hash of an idempotency key; b"" is none.
        reply: opaque bytes remembered under `key`.
        expires_ms: when the subject expires, or 0 for never; every record of a subject says it
            anew.
    """

    kind: RecordKind
    component: str
    entity: str
    number: int
    time_ms: int
    payload: bytes = b""
    key: bytes = b""
    reply: bytes = b""
    expires_ms: int = 0


def trim_payload(offset: int, size: int, rest: bytes = b"") -> bytes:
    """The payload of a `TRIMMED` record, the one payload that the storage reads.

    Args:
        offset: of the newest record of the subject that nobody needs.
        size: about how many bytes that makes, to know when reclaiming is worth its while.
        rest: opaque bytes of the floor above.
    """
    return _TRIM.pack(offset, size) + rest


def trim_of(payload: bytes) -> tuple[int, int, bytes]:
    """Offset, size and the rest of a `trim_payload`.

    Raises:
        ValueError: it is none.
    """
    if len(payload) < _TRIM.size:
        raise ValueError(f"a TRIMMED record with {len(payload)} bytes")
    return (*_TRIM.unpack_from(payload), payload[_TRIM.size :])


_TRIM = struct.Struct(">QQ")


class StoredRecord(msgspec.Struct, frozen=True):
    """A record as it was read back.

    Attributes:
        shard: its shard.
        position: where it stands in the shard's log.
        previous: (epoch, offset) of the subject's record before, (0, 0) for the first.
        version: the subject's number of records after it.
        incarnation: offset of the first record of this life of the subject; a cleaned id gets a
            new one.
        record: what was written.
    """

    shard: int
    position: Position
    previous: tuple[int, int]
    version: int
    incarnation: int
    record: Record


class Append(msgspec.Struct, frozen=True):
    """One command's records: durable together or not at all.

    Attributes:
        shard: the shard of the subject.
        epoch: the writer's epoch; a lower one than the shard's is refused.
        version: the subject's version before this append (0: it has no record); another is refused.
        records: 1 or more records of one subject.
        ahead: name of what was written ahead of this, the payload of its one `STATE` record.
    """

    shard: int
    epoch: int
    version: int
    records: tuple[Record, ...]
    ahead: bytes = b""


class Appended(msgspec.Struct, frozen=True):
    """The append is durable; `position` is that of its last record."""

    position: Position


class RefusalKind(enum.Enum):
    """Why an append alone was left out of a batch."""

    OLD_EPOCH = "old_epoch"
    WRONG_PREVIOUS = "wrong_previous"
    SEALED = "sealed"
    INVALID = "invalid"
    DAMAGED = "damaged"


class Refused(msgspec.Struct, frozen=True):
    """The append was left out, alone; nothing of it is stored."""

    kind: RefusalKind
    reason: str


class Head(msgspec.Struct, frozen=True):
    """What the newest record says of a subject.

    Attributes:
        version: number of records in this life.
        number: number of changes in this life.
        incarnation: offset of the first record of this life.
        epoch, offset: of the newest record.
        state_offset: of the newest `STATE` record (its epoch is not needed: offsets are unique in a
            shard), 0 for none.
        deleted_ms: time of the `DELETED` record, 0 while it is alive.
        expires_ms: when it expires, 0 for never.
        time_ms: time of the newest record.
        trimmed: offset up to which nobody needs its records, 0 for none.
    """

    version: int
    number: int
    incarnation: int
    epoch: int
    offset: int
    state_offset: int = 0
    deleted_ms: int = 0
    expires_ms: int = 0
    time_ms: int = 0
    trimmed: int = 0


class Snapshot(msgspec.Struct, frozen=True):
    """A folded state: the subject as it was after `number` changes of the life `incarnation`."""

    incarnation: int
    number: int
    offset: int
    payload: bytes


class History(msgspec.Struct, frozen=True):
    """All that is needed to rebuild a subject: fold `records` onto `snapshot`.

    `records` are the `EVENT` and `TRIMMED` records after the snapshot in order, or the newest
    `STATE` record alone. Of a trimmed subject they may begin later.
    """

    head: Head
    snapshot: Snapshot | None
    records: tuple[StoredRecord, ...]


class ShardState(msgspec.Struct, frozen=True):
    """What is durable of a shard.

    Attributes:
        position: of the newest record.
        time_ms: of the newest record.
        sealed: it takes no more appends.
        outbox: offset of the newest `OUTBOX` record, 0 for none: behind it nothing has to be sent.
    """

    position: Position
    time_ms: int
    sealed: bool = False
    outbox: int = 0


class ShardPage(msgspec.Struct, frozen=True):
    """A part of a shard on its way to another store.

    Attributes:
        after: offset that the page begins behind.
        through: last offset that it covers; offsets of records that were removed have none here.
        records: in order, with the positions that they keep.
        snapshots: newest whole snapshot of each subject whose newest record is in this page.
        time_ms: the shard's time; the record that moved it there may have been removed.
    """

    after: int
    through: int
    records: tuple[StoredRecord, ...]
    snapshots: tuple[tuple[str, str, Snapshot], ...]
    time_ms: int = 0


class TimerKind(enum.IntEnum):
    """Times that follow from records."""

    EXPIRY = 1  # due at the head's expires_ms
    CLEANUP = 2  # due at the head's deleted_ms plus a retention that the reader adds


class Due(msgspec.Struct, frozen=True):
    """A subject whose time (`at_ms`) is at or before what was asked for."""

    kind: TimerKind
    at_ms: int
    shard: int
    component: str
    entity: str
