"""What all stores share of moving: damage, and faults between the steps."""

from __future__ import annotations

import pytest

from actorkalix_storage.api import (
    Damaged,
    DurabilityLost,
    HomeTable,
    Position,
    ShardPage,
    Snapshot,
    StoreFull,
    StoreIdentity,
)
from actorkalix_storage.api.frames import Marker, MarkerKind
from actorkalix_storage.memorystore import MemoryStore
from actorkalix_storage.testing.harness import START_MS, event, write


def made(number: int) -> MemoryStore:
    return MemoryStore(StoreIdentity("0" * 32, "shop", number, 2, 7))


@pytest.fixture
def source() -> MemoryStore:
    store = made(0)
    store.open_shards([0, 1], START_MS)
    for shard in (0, 1):
        position = write(store, event(1), event(2), shard=shard).position
        store.put_snapshot(shard, "cart", "a", Snapshot(2, 2, position.offset, b"folded"))
    return store


def exported(store: MemoryStore, after: int = 0, limit: int = 500) -> ShardPage:
    page = store.export(0, after, limit)
    assert page is not None
    return page


def test_damage_does_not_travel(source: MemoryStore) -> None:
    source._log[0][1] = Marker(MarkerKind.REMOVED, 0, Position(7, 1, 2))
    source._damaged[0] = "burnt"
    with pytest.raises(Damaged, match="burnt"):
        source.export(0, 0)
    assert source.export(1, 0) is not None


def test_a_drop_forgets_damage(source: MemoryStore) -> None:
    page, position = exported(source), source.durable(0)
    target = made(1)
    target._damaged[0] = "burnt"
    with pytest.raises(Damaged, match="burnt"):
        target.receive(0, position, page)
    target.drop(0)
    assert target.damaged_shards() == {}
    assert target.receive(0, position, page) == position.offset
    assert target.load(0, "cart", "a") == source.load(0, "cart", "a")


def test_a_failed_first_page_leaves_nothing(source: MemoryStore) -> None:
    target = made(1)
    target.fail_next_commit(StoreFull("no space"))
    with pytest.raises(StoreFull):
        target.receive(0, source.durable(0), exported(source))
    assert target.receiving(0) is None
    assert target.durable(0).offset == 0


def test_snapshots_are_here_before_the_records_that_make_them_count(source: MemoryStore) -> None:
    """A page whose records are here is not sent again: a crash must not lose its snapshots."""
    target, position = made(1), source.durable(0)
    keep = target._keep_snapshot

    def fail_after(subject: tuple[int, str, str], snapshot: Snapshot) -> None:
        keep(subject, snapshot)
        target.fail_next_commit(DurabilityLost("killed"))

    vars(target)["_keep_snapshot"] = fail_after
    with pytest.raises(DurabilityLost):
        target.receive(0, position, exported(source))
    target = target.crash()
    assert target.receiving(0) == (position, 0)
    assert target.load(0, "cart", "a") is None
    assert target.receive(0, position, exported(source)) == position.offset
    assert target.load(0, "cart", "a") == source.load(0, "cart", "a")


def test_a_dropped_shard_leaves_the_journal(source: MemoryStore) -> None:
    source.drop(0)
    source = source.crash()
    source.open_shards([0], START_MS)
    length = len(source._journal)
    source.maintain(START_MS)
    assert len(source._journal) == length - 4  # epoch, two events, the marker
    source = source.crash()
    assert source.durable(0) == Position(7, 1, 1)
    assert source.load(1, "cart", "a") is not None
    assert source.load(0, "cart", "a") is None


def test_a_home_table_that_was_not_stored_is_not_known(source: MemoryStore) -> None:
    table = HomeTable(1, ((0,), (0,)))
    source.fail_next_commit(StoreFull("no space"))
    with pytest.raises(StoreFull):
        source.put_homes(table)
    assert source.homes() is None
    source.put_homes(table)
    assert source.crash().homes() == table
