"""How far one consumer has come in one shard. Pure.

Theory of operation. Entries are taken in the order of the log and sorted into *lanes*, one for each
subject, for only the order within a subject matters. A lane is worked on by one run at a time, so a
subject's entries are handled in order, and those of different subjects side by side.

    a lane is      and its entries
    WAITING        lie here, in order; nobody works on them
    RUNNING        lie here; some of the first are being handled
    PARKED         were given back: its consumer failed on the first of them; they are read again
                   from the store when it is tried again, and what comes meanwhile is not kept
    RETRYING       as PARKED, while it is tried again

`through` is the offset up to which everything is handled or parked: one below the oldest entry that
lies here, or all that was read. It never goes back, and with what is parked it is the cursor.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Sequence

import msgspec

from actorkalix_cluster.shardhost.cursors import Cursor, Parked
from actorkalix_cluster.shardhost.folding import COVERED, Folding
from actorkalix_storage.api import Position, Record, RecordKind, StoredRecord

Subject = tuple[str, str]  # component id, entity id


class Entry(msgspec.Struct, frozen=True):
    """A durable record as consumers see it.

    Attributes:
        shard, position: where it stands.
        version: the subject's number of records after it.
        record: what was written.
        folded: the record is a snapshot (a `STATE`) in place of the event that stands there, and of
            all those before.
    """

    shard: int
    position: Position
    version: int
    record: Record
    folded: bool = False

    @property
    def subject(self) -> Subject:
        """What it is about."""
        return self.record.component, self.record.entity


def entry_of(stored: StoredRecord) -> Entry:
    """The entry of a record that was read from the store."""
    return Entry(stored.shard, stored.position, stored.version, stored.record)


def folded_entry(stored: StoredRecord, folding: Folding) -> Entry | None:
    """The entry of a record, a snapshot where one ends with it; None where one covers it."""
    state = folding.look(stored)
    if state is None:
        return entry_of(stored)
    if state == COVERED:
        return None
    record = msgspec.structs.replace(stored.record, kind=RecordKind.STATE, payload=state)
    return Entry(stored.shard, stored.position, stored.version, record, folded=True)


WEIGHT_BYTES = 8_192


def weight_of(entry: Entry) -> int:
    """How much an entry counts among those in memory."""
    return 1 + len(entry.record.payload) // WEIGHT_BYTES


class LaneState(enum.Enum):
    """See the head of this file."""

    WAITING = enum.auto()
    RUNNING = enum.auto()
    PARKED = enum.auto()
    RETRYING = enum.auto()


class Lane:
    """The entries of one subject that were taken and not handled.

    Attributes:
        progress: that it belongs to.
        subject: whose entries.
        entries: in order; none while it is parked.
        state: see the head of this file.
        parked: what is known of its failures, while it is PARKED or RETRYING.
        news: while it is parked: entries came that are not here.
    """

    __slots__ = ("entries", "news", "parked", "progress", "state", "subject")

    def __init__(self, progress: Progress, subject: Subject) -> None:
        self.progress = progress
        self.subject = subject
        self.entries: deque[Entry] = deque()
        self.state = LaneState.WAITING
        self.parked: Parked | None = None
        self.news = False


class Progress:
    """One consumer in one shard. See the head of this file.

    Args:
        shard: number of the shard.
        consumer: id of the consumer.
        cursor: where it stood, or None for a consumer that has never read the shard.
        start: where one begins that has never read the shard.
        folding: of a consumer that takes snapshots when it begins.

    Attributes:
        shard: number of the shard.
        read: position up to which entries were taken.
        synced: all that the consumer wants of the log was taken; what lands is handed to it.
        lanes: by subject, those that have entries or are parked.
        moved: number of entries that were handled since the cursor was written.
        weight: of the entries that lie here: one each, and one more for each `WEIGHT_BYTES`.
        folding: while it takes snapshots, for it has not been at the end of the log yet.
    """

    def __init__(
        self,
        shard: int,
        consumer: str,
        cursor: Cursor | None,
        start: Position,
        folding: Folding | None = None,
    ) -> None:
        self.shard = shard
        self.consumer = consumer
        self.read = cursor.position if cursor is not None else start
        self.synced = False
        self.lanes: dict[Subject, Lane] = {}
        self.moved = 1 if cursor is None and start.offset > 0 else 0
        self._written = cursor or Cursor(consumer, start.lineage, start.epoch, 0)
        self.weight = 0
        begins = start.offset == 0 if cursor is None else cursor.begins
        self.folding = folding if begins else None
        self._open: dict[int, Position] = {}  # of entries that lie here: offset -> position before
        for parked in self._written.parked:
            lane = self.lanes[parked.component, parked.entity] = Lane(
                self, (parked.component, parked.entity)
            )
            lane.state, lane.parked, lane.news = LaneState.PARKED, parked, True

    @property
    def waiting(self) -> int:
        """Entries that lie here."""
        return len(self._open)

    @property
    def through(self) -> Position:
        """The last position up to which everything is handled or parked."""
        return next(iter(self._open.values()), self.read)

    # ---- entries ------------------------------------------------------------------------------
    def take(self, entries: Sequence[Entry], through: Position) -> list[Lane]:
        """Take entries beyond `read`, in order.

        Args:
            entries: those that the consumer wants.
            through: position that the log was read up to.

        Returns:
            Lanes that have become ready.
        """
        assert through.offset >= self.read.offset, "a log is read forwards"
        ready: list[Lane] = []
        before = self.read
        for entry in entries:
            assert entry.position.offset > before.offset, "entries come in order, once"
            subject = entry.subject
            lane = self.lanes.get(subject)
            if lane is None:
                lane = self.lanes[subject] = Lane(self, subject)
            if lane.parked is not None:
                lane.news = True
            else:
                if not lane.entries and lane.state is LaneState.WAITING:
                    ready.append(lane)
                lane.entries.append(entry)
                self._open[entry.position.offset] = before
                self.weight += weight_of(entry)
            before = entry.position
        self.read = through
        return ready

    def skip(self, newest: Position) -> None:
        """Nothing up to the shard's last record is wanted."""
        self.read = newest
        self.is_at_end()

    def is_at_end(self) -> None:
        """All that the consumer wants of the log was taken."""
        self.synced = True
        self.folding = None
        if self._written.begins:
            self.moved += 1

    def handled(self, lane: Lane, count: int) -> None:
        """The first `count` entries of a lane are handled."""
        for _ in range(count):
            entry = lane.entries.popleft()
            del self._open[entry.position.offset]
            self.weight -= weight_of(entry)
        self.moved += count

    def rest(self, lane: Lane) -> bool:
        """A run of a lane is over; whether there is more for another one."""
        lane.state = LaneState.WAITING
        if not lane.entries:
            del self.lanes[lane.subject]
        return bool(lane.entries)

    # ---- failures -----------------------------------------------------------------------------
    def park(self, lane: Lane, failure: str, now_ms: int) -> Parked:
        """The consumer failed on the first entry of a lane: give its entries back."""
        first = lane.entries[0]
        version = 0 if first.folded else first.version - 1
        lane.parked = Parked(*lane.subject, version, first.position.offset, 1, now_ms, failure)
        self.handled(lane, len(lane.entries))
        lane.state, lane.news = LaneState.PARKED, True
        return lane.parked

    def failed_again(self, lane: Lane, failure: str, now_ms: int, attempts: int = 1) -> Parked:
        """It was tried again, and failed; the first failure of an entry is the time it waits since.

        Args:
            lane: that was tried.
            failure: of the try.
            now_ms: time of it.
            attempts: that count: 0 where the fault is not the subject's.
        """
        before = lane.parked
        assert before is not None, "only what is parked is tried again"
        lane.parked = msgspec.structs.replace(
            before,
            attempts=before.attempts + attempts,
            since_ms=before.since_ms if before.failure else now_ms,
            failure=failure,
        )
        lane.state, lane.news = LaneState.PARKED, True
        self.moved += 1
        return lane.parked

    def retried(self, lane: Lane, entry: Entry, following: int) -> None:
        """An entry of a parked lane was handled.

        Args:
            lane: that is tried again.
            entry: that was handled.
            following: offset of the next entry, as far as it is known, or the entry's own plus one.
        """
        assert lane.parked is not None, "only what is parked is tried again"
        lane.parked = msgspec.structs.replace(
            lane.parked, version=entry.version, offset=following, attempts=0, failure=""
        )
        self.moved += 1

    def caught_up(self, lane: Lane) -> bool:
        """All that is in the store was handled; whether the lane is parked no more."""
        if lane.news:
            return False
        del self.lanes[lane.subject]
        lane.parked = None
        self.moved += 1
        return True

    # ---- the cursor ---------------------------------------------------------------------------
    def cursor(self) -> Cursor:
        """The cursor to write now; `moved` counts from here."""
        through = self.through
        parked = tuple(lane.parked for lane in self.lanes.values() if lane.parked is not None)
        self.moved = 0
        at = (through.lineage, through.epoch, through.offset)
        return Cursor(self.consumer, *at, parked, self.folding is not None)

    def wrote(self, cursor: Cursor) -> None:
        """The cursor is durable."""
        self._written = cursor

    def passed(self, newest: Position) -> Position:
        """Up to where nothing of the log is needed any more, also after a crash.

        Args:
            newest: position of the shard's last record.
        """
        idle = self.synced and not self.lanes and not self.moved
        return newest if idle else self._written.passed

    def behind(self, newest: Position) -> int:
        """Records of the log up to its newest that are not handled, those of others among them.

        What is parked does not count. Nothing is behind where all that was wanted was handled.
        """
        if self.synced and not self._open:
            return 0
        return max(0, newest.offset - self.through.offset)

    def skipped(self) -> int:
        """Records that were read beyond the durable cursor."""
        return self.read.offset - self._written.offset
