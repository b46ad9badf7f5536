"""What snapshots make of the records of a log."""

from __future__ import annotations

from actorkalix_cluster.shardhost import folding
from actorkalix_cluster.shardhost.folding import COVERED, Folding
from actorkalix_storage.api import (
    Append,
    Record,
    RecordKind,
    Snapshot,
    StoredRecord,
    StoreIdentity,
)
from actorkalix_storage.memorystore import MemoryStore

EVENT, OUTBOX, DELETED = RecordKind.EVENT, RecordKind.OUTBOX, RecordKind.DELETED


class Shelf:
    """A shard with one subject."""

    def __init__(self) -> None:
        self.store = MemoryStore(StoreIdentity("0" * 32, "t", 0, 1, lineage=1))
        self.epoch = self.store.open_shards([0], 1)[0]
        self.number = 0

    def put(self, *kinds: RecordKind) -> None:
        head = self.store.head(0, "log", "a")
        records: list[Record] = []
        for kind in kinds:
            self.number += kind is EVENT
            records.append(Record(kind, "log", "a", self.number, 1, b"x"))
        version = head.version if head else 0
        self.store.commit([Append(0, self.epoch, version, tuple(records))])

    def snapshot(self, payload: bytes) -> None:
        head = self.store.head(0, "log", "a")
        assert head is not None
        made = Snapshot(head.incarnation, head.number, head.offset, payload)
        self.store.put_snapshot(0, "log", "a", made)

    def records(self) -> list[StoredRecord]:
        return [one for one in self.store.records(0, 0) if one.record.component]


def test_the_last_event_that_a_snapshot_holds_becomes_the_snapshot() -> None:
    shelf = Shelf()
    shelf.put(EVENT)
    shelf.put(EVENT, EVENT, OUTBOX)  # the snapshot's own place is that of the last record
    shelf.snapshot(b"three")
    shelf.put(EVENT, DELETED)
    looked = Folding(shelf.store)
    found = [looked.look(one) for one in shelf.records()]
    assert found == [COVERED, COVERED, b"three", None, None, None]


def test_a_newer_snapshot_comes_in_its_own_place() -> None:
    shelf = Shelf()
    shelf.put(EVENT, EVENT)
    shelf.snapshot(b"two")
    looked = Folding(shelf.store)
    first = shelf.records()
    assert looked.look(first[0]) == COVERED
    shelf.put(EVENT, EVENT)
    shelf.snapshot(b"four")
    rest = shelf.records()[1:]
    assert [looked.look(one) for one in rest] == [COVERED, COVERED, b"four"]


def test_without_snapshots_nothing_changes() -> None:
    shelf = Shelf()
    shelf.put(EVENT, EVENT)
    looked = Folding(shelf.store)
    assert [looked.look(one) for one in shelf.records()] == [None, None]
    shelf.snapshot(b"two")
    shelf.put(EVENT)
    assert looked.look(shelf.records()[2]) is None


def test_a_snapshot_of_an_earlier_life_is_none() -> None:
    shelf = Shelf()
    shelf.put(EVENT, EVENT)
    shelf.snapshot(b"two")
    old = shelf.records()
    shelf.put(DELETED)
    shelf.put(RecordKind.CLEANED)
    shelf.number = 0
    shelf.put(EVENT)
    looked = Folding(shelf.store)
    assert [looked.look(one) for one in old] == [None, None], "whoever has read them takes them"
    assert [looked.look(one) for one in shelf.records()[-1:]] == [None]


def test_what_is_known_of_subjects_is_bounded() -> None:
    shelf = Shelf()
    shelf.put(EVENT, EVENT)
    shelf.snapshot(b"two")
    looked = Folding(shelf.store)
    for number in range(folding.SUBJECTS_MAX):
        looked._known["log", str(number)] = (1, 1)
    assert [looked.look(one) for one in shelf.records()] == [COVERED, b"two"]
    assert len(looked._known) == 1
