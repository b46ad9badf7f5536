"""Pages of the log for a consumer that is not at its end. All of it is done on the reader's thread.

What is wanted is judged here too, for a snapshot may stand in for what was written (`folding`).
"""

from __future__ import annotations

from typing import NamedTuple

from actorkalix_cluster.shardhost.folding import Folding
from actorkalix_cluster.shardhost.progress import Entry, entry_of, folded_entry
from actorkalix_cluster.shardhost.subscriber import Subscriber
from actorkalix_storage.api import Position, Store, StoredRecord

SNAPSHOTS_BYTES_MAX = 8_388_608
"""Snapshots of one page, or one snapshot; as large as a page of events of middling size."""


class Page(NamedTuple):
    """What was read of a shard.

    Attributes:
        records: the next ones.
        wanted: entries among them that the consumer wants.
        newest: how far the log goes at least.
        whole: there are no others.
    """

    records: list[StoredRecord]
    wanted: list[Entry]
    newest: Position
    whole: bool


def next_page(
    store: Store,
    subscriber: Subscriber,
    shard: int,
    after: int,
    limit: int,
    folding: Folding | None,
) -> Page:
    """The next records of a shard behind an offset.

    Args:
        store, shard: whose log is read.
        subscriber: wants some of it.
        after: the offset.
        limit: records, 1 and up.
        folding: of a consumer that begins with snapshots.

    Raises:
        StoreError: the shard cannot be read.
    """
    newest = store.applied(shard)
    records = store.records(shard, after, limit=limit)
    whole = len(records) < limit
    entries: list[Entry] = []
    size = 0
    for at, stored in enumerate(records):
        entry = _entry(subscriber, stored, folding)
        if entry is None or not subscriber.wants(entry.record):
            continue
        entries.append(entry)
        size += len(entry.record.payload) if entry.folded else 0
        if size >= SNAPSHOTS_BYTES_MAX:
            return Page(records[: at + 1], entries, newest, whole and at + 1 == len(records))
    return Page(records, entries, newest, whole)


def _entry(subscriber: Subscriber, stored: StoredRecord, folding: Folding | None) -> Entry | None:
    if folding is None or stored.record.component != subscriber.folds:
        return entry_of(stored)
    return folded_entry(stored, folding)
