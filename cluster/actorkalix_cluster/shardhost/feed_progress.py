"""How far one feed has come in one shard. Pure.

Theory of operation. What the target has said is `told`; nothing else counts as done. Entries are
taken in the order of the log up to `read` and lie here until the target has them.

    state      what lands                          leaves it
    ASKING     is left to the store                when the target has said where it stands
    BEHIND     is left to the store                when a page of the log is being read
    READING    is left to the store                with the page: SYNCED at the end of the log, else
                                                   BEHIND
    SYNCED     is taken from there                 BEHIND when something is missing, or there is no
                                                   room; ASKING when the target has begun anew

A target that stands elsewhere than it was thought to is right: what lies here is dropped and read
again from there.
"""

from __future__ import annotations

import enum
from typing import TypeAlias

from actorkalix_cluster.shardhost.feeding import (
    Again,
    Fed,
    FeedSource,
    Held,
    Place,
    Range,
    Standing,
    fed_of,
    place_of,
)
from actorkalix_cluster.shardhost.folding import Folding
from actorkalix_storage.api import Append, Position, Store

OVERHEAD_BYTES = 64
"""Of an entry beside its payload, about."""


def size_of(entry: Fed) -> int:
    """Bytes that an entry counts for."""
    folded = len(entry.folded) if entry.folded else 0
    return folded + len(entry.payload) + len(entry.component) + len(entry.entity) + OVERHEAD_BYTES


Entry: TypeAlias = tuple[Fed, Position, int]
"""A record with its position and its size in bytes."""


def entries_of(source: FeedSource, append: Append, last: Position, incarnation: int) -> list[Entry]:
    """The wanted records of an append.

    Args:
        source: wants them.
        append: of one of its components.
        last: position of its last record.
        incarnation: offset of the first record of its subject's life.
    """
    first = last.offset - len(append.records) + 1
    found: list[Entry] = []
    for at, record in enumerate(append.records):
        if source.wants(record):
            place = Position(last.lineage, last.epoch, first + at)
            entry = fed_of(record, place, append.version + 1 + at, incarnation)
            found.append((entry, place, size_of(entry)))
    return found


class FeedState(enum.Enum):
    """See the head of this file."""

    ASKING = enum.auto()
    BEHIND = enum.auto()
    READING = enum.auto()
    SYNCED = enum.auto()


class FeedProgress:
    """One feed in one shard. See the head of this file.

    Args:
        shard: number of the shard.
        nothing: where its log begins.

    Attributes:
        shard: number of the shard.
        state: see the head of this file.
        told: where the target stands, by its own word.
        passed: offset up to which the target needs nothing any more.
        read: position up to which entries were taken.
        reading: number of the newest reading of a page; older ones are void.
        entries: taken and not told yet, each with its position and size.
        size: of them, in bytes.
        held: subjects that wait at the target.
        folding: while the target is built and the shard is not at its end.
    """

    __slots__ = (
        "_sent",
        "entries",
        "folding",
        "held",
        "passed",
        "read",
        "reading",
        "shard",
        "size",
        "state",
        "told",
    )

    def __init__(self, shard: int, nothing: Position) -> None:
        self.shard = shard
        self.state = FeedState.ASKING
        self.told = nothing
        self.passed = 0
        self.read = nothing
        self.reading = 0
        self.entries: list[Entry] = []
        self.size = 0
        self.held: tuple[Held, ...] = ()
        self.folding: Folding | None = None
        self._sent: tuple[Position, int] | None = None  # through, entries

    @property
    def waiting(self) -> bool:
        """There is something that the target has not been told of, or has not answered."""
        return self.read != self.told

    @property
    def caught_up(self) -> bool:
        """The target has all that is wanted, and holds nothing back."""
        return self.state is FeedState.SYNCED and not self.entries and not self.held

    def beyond_need(self, newest: Position) -> Position:
        """Up to where the target needs nothing of the log, by its own word."""
        if self.state is FeedState.ASKING:
            return Position(newest.lineage, 0, 0)
        if self.caught_up:
            return newest
        return Position(newest.lineage, newest.epoch, self.passed)

    def lag(self, newest: Position) -> int:
        """Records up to the shard's newest that the target lacks; 0 where it wants none of them."""
        if self.state is FeedState.SYNCED and not self.entries:
            return 0
        return max(0, newest.offset - self.told.offset)

    def take(self, entries: list[Entry], through: Position) -> None:
        """Take wanted entries, with which all up to `through` is read."""
        last = self.read.offset
        for each in entries:
            if each[1].offset > last:
                self.entries.append(each)
                self.size += each[2]
        if through.offset > last:
            self.read = through

    def stand_at(self, position: Position) -> None:
        """The target stands there, and so does the feed: what lies here is dropped."""
        self.told = self.read = position
        self.entries.clear()
        self.size = 0
        self.folding = None
        self._sent = None

    def folded(self, store: Store) -> Folding:
        """How its log is read by a target that is built, until the shard is at its end."""
        if self.folding is None:
            self.folding = Folding(store)
        return self.folding

    def range(self, newest: int, entries_max: int, bytes_max: int) -> tuple[Range, int]:
        """The next range to send, of so many entries and bytes or of one entry; and its size."""
        count = size = 0
        for entry in self.entries:
            if count == entries_max or (count and size + entry[2] > bytes_max):
                break
            count += 1
            size += entry[2]
        whole = count == len(self.entries)
        through = self.read if whole else self.entries[count - 1][1]
        self._sent = (through, count)
        return (
            Range(
                self.shard,
                place_of(self.told),
                place_of(through),
                newest,
                tuple(entry[0] for entry in self.entries[:count]),
            ),
            size,
        )

    def answered(self, standing: Standing) -> bool:
        """The target has said where it stands; False where that is not what was thought.

        Then what lies here is of no use, until the log was compared with what the target has read.
        """
        sent, self._sent = self._sent, None
        self.held, self.passed = standing.held, standing.passed
        at = standing.place
        if sent is not None and at == place_of(sent[0]):
            through, count = sent
            self.size -= sum(entry[2] for entry in self.entries[:count])
            del self.entries[:count]
            self.told = through
            return True
        return sent is None and at == place_of(self.told)

    def lost_sight(self) -> None:
        """What was sent is not answered; it is sent again."""
        self._sent = None


class Retrying:
    """A subject that waits at the target: when its records are read and sent once more.

    Attributes:
        held: as the target has told it.
        due_ms: time of the next try.
        again: what was read, until it is sent.
    """

    __slots__ = ("again", "due_ms", "held", "reading")

    def __init__(self, held: Held, due_ms: int) -> None:
        self.held = held
        self.due_ms = due_ms
        self.again: Again | None = None
        self.reading = False


def at_place(place: Place) -> Position:
    """A place as a position."""
    return Position(*place)
