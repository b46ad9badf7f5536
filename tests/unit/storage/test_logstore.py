"""What all stores share: damage takes a shard out of service, a replay that does not follow too."""

from __future__ import annotations

import pytest

from actorkalix_storage.api import (
    Append,
    Damaged,
    History,
    Load,
    Position,
    RefusalKind,
    Refused,
    StoreIdentity,
)
from actorkalix_storage.api.frames import Marker, MarkerKind
from actorkalix_storage.memorystore import MemoryStore
from actorkalix_storage.testing.harness import START_MS, event, write


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore(StoreIdentity("0" * 32, "shop", 0, 2, 7))
    made.open_shards([0, 1], START_MS)
    for shard in (0, 1):
        write(made, event(1), event(2), shard=shard)
    return made


def test_damage_that_is_met_takes_the_shard_out_of_service(store: MemoryStore) -> None:
    store._log[0][1] = Marker(MarkerKind.REMOVED, 0, Position(7, 1, 2))
    with pytest.raises(Damaged):
        store.load(0, "cart", "a")
    assert list(store.damaged_shards()) == [0]
    with pytest.raises(Damaged):
        store.head(0, "cart", "a")
    (outcome,) = store.commit([Append(0, 1, 2, (event(3),))])
    assert isinstance(outcome, Refused)
    assert outcome.kind is RefusalKind.DAMAGED
    assert store.open_shards([0, 1], START_MS) == {1: 2}
    assert store.load(1, "cart", "a") is not None


def test_a_hole_in_a_shards_log_is_damage_of_that_shard(store: MemoryStore) -> None:
    del store._journal[2]
    recovered = store.crash()
    assert "offset 3 of epoch 1 after offset 1" in recovered.damaged_shards()[0]
    assert list(recovered.damaged_shards()) == [0]
    assert recovered.load(1, "cart", "a") is not None


def test_a_waiting_record_that_does_not_follow_is_damage(store: MemoryStore) -> None:
    for number in (3, 4):
        store.append(0, 1, number - 1, [event(number)])
    del store._journal[-2]
    recovered = store.crash()
    assert list(recovered.damaged_shards()) == [0]
    assert recovered.durable(0).offset == 3


def test_damage_that_a_load_among_many_meets_costs_its_shard_alone(store: MemoryStore) -> None:
    store._log[0][1] = Marker(MarkerKind.REMOVED, 0, Position(7, 1, 2))
    loads = [Load(0, "cart", "a"), Load(0, "cart", "never"), Load(1, "cart", "a")]
    store.load_some(loads, lambda: False)
    assert [type(load.found) for load in loads] == [Damaged, Damaged, History]
    assert list(store.damaged_shards()) == [0]
