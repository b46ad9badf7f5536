"""Pages of the log for a feed that is not at its end. All of it is done on the reader's thread."""

from __future__ import annotations

import msgspec

from actorkalix_cluster.shardhost.feed_progress import Entry, size_of
from actorkalix_cluster.shardhost.feeding import Again, Fed, FeedSource, Held, fed_of
from actorkalix_cluster.shardhost.folding import COVERED, Folding
from actorkalix_cluster.shardhost.limits import FeedLimits
from actorkalix_storage.api import Position, Store, StoredRecord

FIRST = 16
"""Records that are read at first: 16 MiB at most, for each has 1 MiB at most."""


class Page(msgspec.Struct, frozen=True):
    """What was read of a shard.

    Attributes:
        begin: behind which it was read.
        compared: the log was compared with the history that led to `begin`.
        parted: it is another one; nothing was read.
        entries: wanted ones, each with its position and size.
        through: all up to there is read.
        whole: that was the end of the log.
    """

    begin: Position
    compared: bool
    parted: bool
    entries: list[Entry]
    through: Position
    whole: bool


def next_page(
    store: Store,
    source: FeedSource,
    shard: int,
    begin: Position,
    compare: bool,
    limits: FeedLimits,
    folding: Folding | None = None,
) -> Page:
    """The wanted records of a shard beyond a position.

    Args:
        store, shard: whose log is read.
        source: wants them.
        begin: the position.
        compare: whether the log is one that led to it is to be seen first.
        limits: bounds of a page.
        folding: of a target that is built; None where snapshots are of no use.

    Raises:
        StoreError: the shard cannot be read.
    """
    if compare and begin.offset > 0 and store.parting(shard, begin) != begin:
        return Page(begin, True, True, [], begin, False)
    newest = store.applied(shard)
    entries: list[Entry] = []
    size = 0
    through = begin
    count = min(FIRST, limits.page)
    while size < limits.page_bytes_max:
        records = store.records(shard, through.offset, limit=count)
        there = 0
        for stored in records:
            record = stored.record
            there += len(record.payload)
            if record.component in source.components and source.wants(record):
                entry = _fed(stored) if folding is None else _folded(stored, source, folding)
                if entry is None:
                    continue
                entries.append((entry, stored.position, bytes_ := size_of(entry)))
                size += bytes_
                if entry.folded and size >= limits.page_bytes_max:
                    return Page(begin, compare, False, entries, stored.position, False)
        if records:
            through = records[-1].position
        if len(records) < count:
            # What landed between the two looks is among the records and beyond `newest`.
            through = newest if newest.offset > through.offset else through
            return Page(begin, compare, False, entries, through, True)
        if len(entries) >= limits.page:
            break
        # Nobody knows how large the next ones are; they are in memory before they are counted.
        small = there < limits.page_bytes_max // 4
        count = min(2 * count, limits.page) if small else max(1, count // 2)
    return Page(begin, compare, False, entries, through, False)


def read_again(store: Store, source: FeedSource, held: Held, limits: FeedLimits) -> Again:
    """Records of a subject that waits at the target, from the first that was not handled.

    Raises:
        StoreError: they cannot be read.
    """
    newest = store.applied(held.shard).offset
    subject = (held.shard, held.component, held.entity)
    entries: list[Fed] = []
    size, after = 0, held.version
    folding: Folding | None = None
    takes = held.table in source.folds.get(held.component, ())
    while True:
        records = store.history(*subject, after=after, limit=limits.page)
        if takes and not after and records and records[0].position.offset < held.offset:
            folding = Folding(store)  # something was passed over: what has failed is a snapshot
        for stored in records:
            entry = _fed(stored) if folding is None else _folded(stored, source, folding, True)
            if entry is None or not source.wants(stored.record):
                continue
            size += size_of(entry)
            if entries and size > limits.batch_bytes_max:
                return Again(held, entries[-1].offset, tuple(entries))
            entries.append(entry)
        if folding is None or entries or len(records) < limits.page:
            break
        after = records[-1].version
    last = records[-1].position.offset if records else 0
    through = last if len(records) == limits.page else max(newest, last)
    return Again(held, through, tuple(entries))


def _folded(
    stored: StoredRecord, source: FeedSource, folding: Folding, alone: bool = False
) -> Fed | None:
    """A record with what snapshots make of it; None where nobody needs it.

    Args:
        stored: the record.
        source: wants it.
        folding: knows the snapshots.
        alone: it is for one table, which begins with snapshots.
    """
    component = stored.record.component
    folded = folding.look(stored) if component in source.folds else None
    if folded == COVERED and (alone or component not in source.whole):
        return None
    return fed_of(stored.record, stored.position, stored.version, stored.incarnation, folded)


def _fed(stored: StoredRecord) -> Fed:
    return fed_of(stored.record, stored.position, stored.version, stored.incarnation)
