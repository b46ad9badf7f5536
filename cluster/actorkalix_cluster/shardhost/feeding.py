"""What a feed and its target say to each other. Pure.

A feed (`feed`) reads the logs of its host's shards and hands what is wanted to a target, which
keeps the positions. A batch has ranges: "these are all the wanted records of this shard from here
up to there". A target takes a range only where it stands at the range's beginning, in one
transaction with what follows from the records; so it does not matter how often a batch arrives, in
which order, or from how many hosts. Its answer says where it stands in each shard that the batch
names, durably; a feed goes by that alone.

All of it is MessagePack: arrays of fields in a fixed order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias

import msgspec

from actorkalix_storage.api import Position, Record, RecordKind

FEED_VERSION = 1

Place: TypeAlias = tuple[int, int, int]
"""A position as it travels: lineage, epoch, offset. Offset 0 is the beginning."""

BEGINNING: Place = (0, 0, 0)


def place_of(position: Position) -> Place:
    """A position as it travels."""
    return (position.lineage, position.epoch, position.offset)


class Fed(msgspec.Struct, frozen=True, array_like=True):
    """A record as a target gets it.

    Attributes:
        kind: a `RecordKind`.
        component, entity: of its subject.
        number: the subject's number of changes after it.
        version: the subject's number of records after it.
        incarnation: offset of the first record of the subject's life.
        epoch, offset: where it stands in its shard.
        time_ms: of the record.
        payload: what was stored.
        folded: of an event, for those that begin with snapshots: the snapshot that holds it and
            all before, or b"" where one comes later that holds it; None where there is none.
    """

    kind: int
    component: str
    entity: str
    number: int
    version: int
    incarnation: int
    epoch: int
    offset: int
    time_ms: int
    payload: bytes
    folded: bytes | None = None


def fed_of(
    record: Record,
    position: Position,
    version: int,
    incarnation: int,
    folded: bytes | None = None,
) -> Fed:
    """A record as it travels."""
    is_change = record.kind in (RecordKind.EVENT, RecordKind.STATE)
    return Fed(
        *(record.kind.value, record.component, record.entity, record.number),
        *(version, incarnation, position.epoch, position.offset, record.time_ms),
        record.payload if is_change else b"",
        folded,
    )


class Range(msgspec.Struct, frozen=True, array_like=True):
    """All wanted records of a shard beyond `begin`, up to `through`.

    Attributes:
        shard: number of the shard.
        begin, through: places in its log.
        newest: offset of the shard's last record, as the feed knows it.
        entries: in order; none where nothing is wanted.
    """

    shard: int
    begin: Place
    through: Place
    newest: int
    entries: tuple[Fed, ...] = ()


class Held(msgspec.Struct, frozen=True, array_like=True):
    """A subject that waits at the target, which fails on it; its key is (table, subject).

    Attributes:
        shard, component, entity: whose records it is about.
        table, subject: which row waits.
        version: of the entity's last record that was handled.
        offset: of the first record that was not.
        attempts: that failed so far.
        since_ms: time of the first one.
        failure: of the last one, for those who look.
    """

    shard: int
    component: str
    entity: str
    table: str
    subject: str
    version: int
    offset: int
    attempts: int
    since_ms: int
    failure: str


class Again(msgspec.Struct, frozen=True, array_like=True):
    """Records of a subject that waits, read once more.

    Attributes:
        held: as the feed knows it; a target that knows it otherwise drops this.
        through: up to which offset of the shard these are all records of its entity.
        entries: of the entity, in order.
    """

    held: Held
    through: int
    entries: tuple[Fed, ...]


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """From a feed to its target.

    Attributes:
        version: of this protocol.
        host: number of the store that the feed is of.
        shards: number of shards of the service.
        now_ms: of the host.
        asked: shards of which the feed wants to know where the target stands.
        parted: shards whose log has another history than the one up to this place, which the
            target said it had read: it forgets all that it has of the shard.
        ranges: see there.
        again: see there.
    """

    version: int
    host: int
    shards: int
    now_ms: int
    asked: tuple[int, ...] = ()
    parted: tuple[tuple[int, Place], ...] = ()
    ranges: tuple[Range, ...] = ()
    again: tuple[Again, ...] = ()


class Standing(msgspec.Struct, frozen=True, array_like=True):
    """Where a target stands in a shard, durably.

    Attributes:
        shard: number of the shard.
        place: all up to there is in its tables, but for what is held.
        held: subjects of the shard that wait.
    """

    shard: int
    place: Place
    held: tuple[Held, ...] = ()

    @property
    def passed(self) -> int:
        """Offset up to which it needs nothing of the log any more."""
        return min([self.place[2], *(one.offset - 1 for one in self.held)])


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """From a target to a feed.

    Attributes:
        generation: of what the target keeps; another one has begun anew.
        standings: of all shards that the batch names; none when it was not taken.
        wait_ms: it was not taken: send it again then; 0 when it was.
        reason: why not.
        building: it has never been at the end of all shards' logs.
    """

    generation: str
    standings: tuple[Standing, ...] = ()
    wait_ms: int = 0
    reason: str = ""
    building: bool = False


class FeedSource(Protocol):
    """What a feed reads.

    Attributes:
        feed: its id, unique in the service.
        components: whose records are read; all others are passed over unseen.
        folds: tables that begin with snapshots, by component; of those that are built.
        whole: components of which other tables need every event all the same.
    """

    feed: str
    components: frozenset[str]
    folds: Mapping[str, frozenset[str]]
    whole: frozenset[str]

    def wants(self, record: Record, /) -> bool:
        """Whether a record of one of the components goes to the target; pure."""
        ...


class FeedTarget(Protocol):
    """Takes what feeds hand over."""

    async def apply(self, feed: str, batch: bytes, /) -> bytes:
        """Take a batch, see `Batch`; return an `Answer`.

        Raises:
            Exception: it cannot be reached, or something else; whether the batch was taken is
                unknown. It is sent again.
        """
        ...


pack_batch = msgspec.msgpack.Encoder().encode
unpack_batch = msgspec.msgpack.Decoder(Batch).decode
pack_answer = msgspec.msgpack.Encoder().encode
unpack_answer = msgspec.msgpack.Decoder(Answer).decode
