"""Records as rules look at them."""

from __future__ import annotations

from actorkalix.testkit.checking import stored_of
from actorkalix_storage.api import Position, Record, RecordKind, StoredRecord


def test_a_stored_record_without_its_payload() -> None:
    record = Record(RecordKind.EVENT, "cart", "a", 4, 99, b"payload", b"key")
    found = stored_of(StoredRecord(7, Position(1, 2, 30), (1, 20), 5, 3, record), 11, "host-1")
    assert str(found) == "cart 'a' record 5 (shard 7 epoch 2 offset 30)"
    assert (found.kind, found.number, found.incarnation) == (RecordKind.EVENT, 4, 3)
    assert (found.lineage, found.key, found.operation, found.writer) == (1, b"key", 11, "host-1")
