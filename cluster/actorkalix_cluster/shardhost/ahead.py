"""A subject's records in a shard's log, forward from an offset.

The records of a subject name those before them, so `Store.history` begins at the newest: with much
behind it, the oldest that is not handled costs most to find, and each page after it nearly as much.
Forward, what is looked for first is found first, and every record is read once.
"""

from __future__ import annotations

from typing import NamedTuple

from actorkalix_cluster.shardhost.folding import Folding
from actorkalix_cluster.shardhost.progress import Entry, Subject, entry_of, folded_entry
from actorkalix_storage.api import Store


class Ahead(NamedTuple):
    """What is next of a subject.

    Attributes:
        entries: in order.
        through: offset up to which there are no others.
        covered: a snapshot that comes later holds the last of its records up to there.
    """

    entries: list[Entry]
    through: int
    covered: bool = False


def read_ahead(
    store: Store,
    shard: int,
    subject: Subject,
    after: int,
    up_to: int,
    *,
    limit: int,
    folds: bool = False,
) -> Ahead:
    """Entries of a subject among the next records of a shard. On the reader's thread.

    Args:
        store: whose log is read.
        shard: of the subject.
        subject: whose entries.
        after: offset behind which to begin.
        up_to: offset of the last record that counts.
        limit: records of the shard to look at, 1 and up.
        folds: nothing of the subject was handled, and it may begin with a snapshot.
    """
    newest = store.applied(shard).offset
    page = store.records(shard, after, limit=limit)
    through = page[-1].position.offset if len(page) == limit else max(after, newest)
    mine = [
        stored
        for stored in page
        if stored.position.offset <= up_to
        and (stored.record.component, stored.record.entity) == subject
    ]
    # It begins behind its first record, so a snapshot has passed over those before.
    if folds and mine and mine[0].version > 1:
        folding = Folding(store)
        found = [folded_entry(stored, folding) for stored in mine]
        entries = [entry for entry in found if entry is not None]
        return Ahead(entries, min(through, up_to), found[-1] is None)
    return Ahead([entry_of(stored) for stored in mine], min(through, up_to))
