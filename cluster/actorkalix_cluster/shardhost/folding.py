"""Events that a snapshot holds, for readers that begin with snapshots.

Theory of operation. Whoever reads a log from its beginning may take the snapshot of a subject in
place of the events that it holds. It comes where the last of these stands; those before are passed
over. So the place of a reader says all there is to say: what lies beyond it is read, and nothing
else has to be remembered over a crash. If the subject has a newer snapshot by then, that one comes,
further on, and a reader that has had the older one gets it as well: a later state in place of the
events between.

    event of a subject                        becomes
    it has no snapshot                        itself
    before the last one that it holds         passed over
    the last one                              the snapshot, or passed over: there is a newer one
    behind it                                 itself

Everything else, the end of a life for instance, is left as it is.
"""

from __future__ import annotations

from actorkalix_storage.api import RecordKind, Store, StoredRecord

SUBJECTS_MAX = 10_000
"""Subjects of a shard whose snapshots are known at a time; beyond that they are looked up again."""

COVERED = b""
"""A snapshot holds the event, and comes later."""


class Folding:
    """See the head of this file; for one reading of one shard, one page at a time.

    Args:
        store: has the snapshots.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, str], tuple[int, int]] = {}  # incarnation, number of events

    def look(self, stored: StoredRecord) -> bytes | None:
        """What a snapshot makes of a record: None for nothing, `COVERED`, or its payload.

        Raises:
            StoreError: the shard cannot be read.
        """
        record = stored.record
        if record.kind is not RecordKind.EVENT:
            return None
        subject = (record.component, record.entity)
        incarnation, number = self._known.get(subject, (0, 0))
        if incarnation != stored.incarnation:
            number = self._look_up(stored)[0]
        if record.number != number:
            return COVERED if record.number < number else None
        number, payload = self._look_up(stored)
        if number == record.number:
            return payload
        return COVERED if number > record.number else None

    def _look_up(self, stored: StoredRecord) -> tuple[int, bytes]:
        """How many events the subject's snapshot holds, 0 where there is none, and its payload."""
        record = stored.record
        found = self._store.snapshot(stored.shard, record.component, record.entity)
        if found is None or found.incarnation != stored.incarnation:
            number, payload = 0, COVERED
        else:
            number, payload = found.number, found.payload
        if len(self._known) >= SUBJECTS_MAX:
            self._known.clear()
        self._known[record.component, record.entity] = (stored.incarnation, number)
        return number, payload
