"""A subject's records in a shard's log, forward from an offset.

The records of a subject name those before them, so `Store.history` begins at the newest: with much
behind it, the oldest that is not handled costs most to find, and each page after it nearly as much.
Forward, what is looked for first is found first, and every record is read once.
"""

from __future__ import annotations

from actorkalix_cluster.shardhost.progress import Entry, Subject, entry_of
from actorkalix_storage.api import Store


def read_ahead(
    store: Store, shard: int, subject: Subject, after: int, up_to: int, *, limit: int
) -> tuple[list[Entry], int]:
    """Entries of a subject among the next records of a shard. On the reader's thread.

    Args:
        store: whose log is read.
        shard: of the subject.
        subject: whose entries.
        after: offset behind which to begin.
        up_to: offset of the last record that counts.
        limit: records of the shard to look at, 1 and up.

    Returns:
        The entries in order, and the offset up to which there are no others, at most `up_to`.
    """
    newest = store.applied(shard).offset
    page = store.records(shard, after, limit=limit)
    through = page[-1].position.offset if len(page) == limit else max(after, newest)
    entries = [entry_of(stored) for stored in page if stored.position.offset <= up_to]
    return [one for one in entries if one.subject == subject], min(through, up_to)
