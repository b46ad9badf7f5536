"""Pages of a log for a consumer that is behind."""

from __future__ import annotations

import pytest

from actorkalix_cluster.shardhost import consumer_reading
from actorkalix_cluster.shardhost.consumer_reading import next_page
from actorkalix_cluster.shardhost.folding import Folding
from actorkalix_storage.api import RecordKind
from tests.unit.cluster.shardhost.reader import Reader
from tests.unit.cluster.shardhost.test_folding import EVENT, Shelf


def test_a_page_has_the_records_and_what_is_wanted_of_them() -> None:
    shelf = Shelf()
    shelf.put(EVENT, EVENT)
    page = next_page(shelf.store, Reader(), 0, 0, 100, None)
    assert [one.record.kind for one in page.records] == [RecordKind.EPOCH, EVENT, EVENT]
    assert (page.wanted, page.whole) == ([], True), "the reader wants counters alone"
    assert not next_page(shelf.store, Reader(), 0, 0, 2, None).whole


def test_large_snapshots_end_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer_reading, "SNAPSHOTS_BYTES_MAX", 3)

    class All(Reader):
        def wants(self, record: object, /) -> bool:
            return True

    reader = All()
    reader.folds = "log"
    shelf = Shelf()
    shelf.put(EVENT, EVENT)
    shelf.snapshot(b"two")
    shelf.put(EVENT)
    page = next_page(shelf.store, reader, 0, 1, 100, Folding(shelf.store))
    assert [(one.record.payload, one.folded) for one in page.wanted] == [(b"two", True)]
    assert (len(page.records), page.whole) == (2, False)
    rest = next_page(shelf.store, reader, 0, 3, 100, Folding(shelf.store))
    assert [(one.record.payload, one.folded) for one in rest.wanted] == [(b"x", False)]
