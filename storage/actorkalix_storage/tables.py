"""Tables: what follows from the log, as a pure function of its records.

`Layer.apply` is the only place where a record changes a table. Layers lie on each other: what a
layer does not hold is asked of the tables below, down to what is on disk. So the same function
serves a batch that may still fail, the changes since the last checkpoint, records that wait for
`apply`, a store in memory, and the replay after a crash.

Applying a record again changes nothing: a shard's state and a subject's head know how far they
have come, and whatever a partly written checkpoint holds, replaying from the last complete one ends
in the same tables.

Tables of a shard: its state, the source of the copy that it came by; of a subject: its head, at
most one timer, the offsets that its idempotency keys stand at. No payload is read here but that of
`TRIMMED`.
"""

from __future__ import annotations

from typing import Protocol

from .api import (
    Head,
    Position,
    RecordKind,
    ShardState,
    Snapshot,
    StoredRecord,
    TimerKind,
    trim_of,
)
from .times import Subject as Subject
from .times import Times

HOUR_MS = 3_600_000
KEYS_KEPT_MS = 24 * HOUR_MS
_STATE, _DELETED, _CLEANED = RecordKind.STATE, RecordKind.DELETED, RecordKind.CLEANED
_OUTBOX, _TRIMMED, _EPOCH = RecordKind.OUTBOX, RecordKind.TRIMMED, RecordKind.EPOCH
# Bound here, for to look up a member of an enum takes 0.1 us, and a record asks for many.
SEALED = b"sealed"  # payload of the EPOCH record after which a shard takes no more


class Tables(Protocol):
    """What a batch must know before it may add a record."""

    def head(self, subject: Subject) -> Head | None: ...

    def state(self, shard: int) -> ShardState: ...

    def source(self, shard: int) -> Position | None: ...


class NoTables:
    """Below the lowest layer: nothing."""

    def __init__(self, lineage: int) -> None:
        self._nothing = ShardState(Position(lineage, 0, 0), 0)

    def head(self, subject: Subject) -> Head | None:
        return None

    def state(self, shard: int) -> ShardState:
        return self._nothing

    def source(self, shard: int) -> Position | None:
        return None


def timer_of(head: Head | None) -> tuple[TimerKind, int] | None:
    """The one time that a head asks for: its expiry while it is alive, then its cleanup."""
    if head is None:
        return None
    if head.deleted_ms:
        return TimerKind.CLEANUP, head.deleted_ms
    if head.expires_ms:
        return TimerKind.EXPIRY, head.expires_ms
    return None


def fits(snapshot: Snapshot, head: Head) -> bool:
    """Whether a snapshot is of the head's life and not beyond it."""
    return snapshot.incarnation == head.incarnation and (
        snapshot.offset <= head.offset and snapshot.number <= head.number
    )


def oldest_hour(now_ms: int, kept_ms: int) -> int:
    """The first hour of which some idempotency key is younger than `kept_ms`."""
    return max(0, now_ms - kept_ms) // HOUR_MS


def head_after(head: Head | None, stored: StoredRecord) -> Head | None:
    """A subject's head after a record of its own."""
    record, position = stored.record, stored.position
    if head is not None and head.offset >= position.offset:
        return head
    kind = record.kind
    if kind is _CLEANED:
        return None
    state_offset = deleted_ms = trimmed = 0
    if head is not None:
        state_offset, deleted_ms, trimmed = head.state_offset, head.deleted_ms, head.trimmed
    if kind is _STATE:
        state_offset = position.offset
    elif kind is _DELETED:
        deleted_ms = record.time_ms
    elif kind is _TRIMMED:
        trimmed = max(trimmed, trim_of(record.payload)[0])
    return Head(
        stored.version,
        record.number,
        stored.incarnation,
        position.epoch,
        position.offset,
        state_offset,
        deleted_ms,
        record.expires_ms,
        record.time_ms,
        trimmed,
    )


class Layer:
    """Changes to tables, over the tables below.

    One thread changes a layer; any thread may ask it for one entry. Who walks through one of its
    dictionaries holds the owner's lock.

    Attributes:
        heads: subject -> head, or None where it was cleaned.
        timers: kind and time of the heads in this layer that ask for one.
        shards: shard -> state.
        keys: (subject, idempotency key) -> hour of the record, its offset.
        cleaned: shard and offset of `CLEANED` records.
        copies: shard -> newest position of its source, for shards that came by a copy.
    """

    __slots__ = ("below", "cleaned", "copies", "heads", "keys", "shards", "timers")

    def __init__(self, below: Tables) -> None:
        self.below = below
        self.heads: dict[Subject, Head | None] = {}
        self.timers = Times()
        self.shards: dict[int, ShardState] = {}
        self.keys: dict[tuple[Subject, bytes], tuple[int, int]] = {}
        self.cleaned: list[tuple[int, int]] = []
        self.copies: dict[int, Position] = {}

    def head(self, subject: Subject) -> Head | None:
        try:
            return self.heads[subject]
        except KeyError:
            return self.below.head(subject)

    def state(self, shard: int) -> ShardState:
        return self.shards.get(shard) or self.below.state(shard)

    def source(self, shard: int) -> Position | None:
        """Newest position of what the shard is a copy of, also when the copy is long complete."""
        return self.copies.get(shard) or self.below.source(shard)

    def unfinished(self, shard: int) -> Position | None:
        """`source`, while the copy is not complete."""
        source = self.source(shard)
        return source if source and self.state(shard).position.offset < source.offset else None

    def apply(self, stored: StoredRecord) -> None:
        """Change the tables as the record says."""
        record = stored.record
        if record.kind is _EPOCH:
            source = self.source(stored.shard)
            is_ours = source is None or stored.position.offset > source.offset
            sealed = is_ours and record.payload == SEALED  # the source's seal is none here
            self.move(stored.shard, stored.position, record.time_ms, sealed)
        else:
            subject = (stored.shard, record.component, record.entity)
            self.apply_to(subject, self.head(subject), stored)

    def apply_to(self, subject: Subject, head: Head | None, stored: StoredRecord) -> Head | None:
        """`apply` for who has just asked for the subject's head; return the head afterwards."""
        record, position = stored.record, stored.position
        self.move(stored.shard, position, record.time_ms, None, record.kind is _OUTBOX)
        head = self.heads[subject] = head_after(head, stored)
        if self.timers.of or (head is not None and (head.deleted_ms or head.expires_ms)):
            self.timers.put(subject, timer_of(head))
        if record.key:
            self.keys[(subject, record.key)] = (record.time_ms // HOUR_MS, position.offset)
        if record.kind is _CLEANED:
            self.cleaned.append((stored.shard, position.offset))
        return head

    def move(
        self,
        shard: int,
        position: Position,
        time_ms: int = 0,
        sealed: bool | None = None,
        outbox: bool = False,
    ) -> None:
        """Move a shard's state on to a position; a removed record does no more than this."""
        state = self.state(shard)
        if position.offset > state.position.offset:
            if time_ms < state.time_ms:
                time_ms = state.time_ms
            sealed = state.sealed if sealed is None else sealed
            newest = position.offset if outbox else state.outbox
            self.shards[shard] = ShardState(position, time_ms, sealed, newest)

    def begin_copy(self, shard: int, source: Position, time_ms: int) -> None:
        """What comes now is a copy of what stands at its source up to `source`."""
        if self.source(shard) != source:
            self.copies[shard] = source
            self.shards[shard] = ShardState(Position(source.lineage, 0, 0), time_ms)

    def forget(self, shard: int) -> None:
        """Remove all of a shard that is in this layer, which lies on nothing of that shard."""
        self.shards.pop(shard, None)
        self.copies.pop(shard, None)
        self.heads = {s: head for s, head in self.heads.items() if s[0] != shard}
        self.timers.forget(shard)
        self.keys = {key: place for key, place in self.keys.items() if key[0][0] != shard}
        self.cleaned = [place for place in self.cleaned if place[0] != shard]

    def absorb(self, above: Layer) -> None:
        """Take over the changes of a layer that was above this one."""
        self.heads.update(above.heads)
        self.shards.update(above.shards)
        self.keys.update(above.keys)
        self.cleaned.extend(above.cleaned)
        self.copies.update(above.copies)
        if self.timers or above.timers:
            for subject in above.heads:
                self.timers.put(subject, above.timers.of.get(subject))
