"""What a consumer has missed: messages that were dropped before it read them.

Theory of operation. The records of some subjects are numbered messages, and the oldest are dropped
when their time is over, whether all have read them or not. A consumer that reads behind finds a
hole where they were: a record names the one before it, and that one lies behind where the reading
began and was not among what was read. Or a record is there without its payload. Either is told
once for each stretch, by the numbers of the messages, in the log and for those who look; it is
never passed in silence.

Who reads from the very beginning has missed nothing: it begins with the oldest message that there
is. What lands in front of one's eyes cannot be missed, so only reading from the store is looked at.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from actorkalix_cluster.shardhost.cursors import Parked
from actorkalix_cluster.shardhost.progress import Entry
from actorkalix_cluster.shardhost.subscriber import Subscriber
from actorkalix_storage.api import Record, RecordKind, StoredRecord

log = logging.getLogger("actorkalix.consumer")


class _Run:
    """Reading of one shard, page after page, from `base` on."""

    __slots__ = ("base", "missed", "seen")

    def __init__(self, base: int) -> None:
        self.base = base
        self.seen: dict[str, tuple[int, int]] = {}  # entity -> offset and number of its newest
        self.missed: dict[str, tuple[int, int]] = {}  # entity -> first number or 0, last number


class Gaps:
    """See the head of this file.

    Args:
        subscriber: whose reading it is.

    Attributes:
        count: stretches that were missed since the host began.
        last: the newest of them in words, or "".
    """

    def __init__(self, subscriber: Subscriber) -> None:
        self.count = 0
        self.last = ""
        self._consumer = subscriber.consumer
        self._numbered = subscriber.numbered
        self._runs: dict[int, _Run] = {}

    def read(self, shard: int, after: int, records: Sequence[StoredRecord], last: bool) -> None:
        """These are all records of a shard behind an offset, up to the last of them.

        Args:
            shard: its number.
            after: the offset.
            records: in order.
            last: there are no others yet.
        """
        if self._numbered is None:
            return
        component, prefix = self._numbered
        run = self._runs.get(shard)
        if run is None:
            run = self._runs[shard] = _Run(after)
        for stored in records:
            record = stored.record
            if record.component == component and record.entity.startswith(prefix) and run.base:
                self._look(run, stored)
        if last:
            self.end(shard)

    def _look(self, run: _Run, stored: StoredRecord) -> None:
        record, entity = stored.record, stored.record.entity
        offset, number = run.seen.get(entity, (run.base, -1))
        through = 0
        if record.kind is RecordKind.EVENT and not record.payload:
            through = record.number
        elif stored.previous[1] > offset:
            through = record.number - (record.kind is RecordKind.EVENT)
        if through:
            first, _ = run.missed.get(entity, (number + 1, 0))
            run.missed[entity] = (first, through)
        run.seen[entity] = (stored.position.offset, record.number)
        if is_message(record) and entity in run.missed:
            self._tell(entity, *run.missed.pop(entity))

    def end(self, shard: int) -> None:
        """The shard is read to its end, or is not ours any more."""
        run = self._runs.pop(shard, None)
        for entity, (first, last) in run.missed.items() if run is not None else ():
            self._tell(entity, first, last)

    def retried(self, parked: Parked, entries: Sequence[Entry]) -> None:
        """These are the next entries of a parked subject."""
        if self._numbered is None or not entries:
            return
        gone = [e for e in entries if e.record.kind is RecordKind.EVENT and not e.record.payload]
        first = entries[0]
        if gone:
            self._tell(parked.entity, 0, gone[-1].record.number)
        elif first.version > parked.version + 1:
            self._tell(parked.entity, 0, first.record.number - is_message(first.record))

    def _tell(self, entity: str, first: int, last: int) -> None:
        self.count += 1
        which = f"messages {first} to {last}" if first > 0 else f"messages up to {last}"
        self.last = f"{which} of {entity} were dropped before they were handled"
        log.error("%s has missed something: %s", self._consumer, self.last)


def is_message(record: Record) -> bool:
    """Whether it is a message that was not dropped."""
    return record.kind is RecordKind.EVENT and bool(record.payload)
