"""States after each change are those that the service had then."""

from __future__ import annotations

import pytest

from actorkalix.engine import behavior_for
from actorkalix.runtime.fold import Fold
from actorkalix_cluster.placement.sharding import shard_of
from actorkalix_storage.api import StoredRecord
from tests.unit.actorkalix.runtime.shop import Cart, ProfileState, service
from tests.unit.actorkalix.runtime.stock import SHARDS, Stock

CART = behavior_for(service.descriptor.components["cart"])
PROFILE = behavior_for(service.descriptor.components["profile"])


@pytest.fixture
def stock() -> Stock:
    return Stock(service.descriptor)


def changes(stock: Stock, component: str, entity: str) -> list[StoredRecord]:
    return stock.store.history(shard_of(component, entity, SHARDS), component, entity)


def test_es_41_each_change_is_folded_onto_the_state_before(stock: Stock) -> None:
    for item in "abcde":
        stock.send("cart", "c1", "add", item=item)
    fold = Fold(CART, "c1", None)
    states = [fold.after(change) for change in changes(stock, "cart", "c1")]
    assert states == [Cart("c1", tuple("abcde"[:n])) for n in range(1, 6)]
    assert fold.number == 5


def test_several_changes_at_once_come_to_the_same(stock: Stock) -> None:
    for item in "abcde":
        stock.send("cart", "c1", "add", item=item)
    first, *rest = changes(stock, "cart", "c1")
    fold = Fold(CART, "c1", None)
    assert fold.after(first) == Cart("c1", ("a",))
    assert fold.after(*rest) == Cart("c1", tuple("abcde"))


def test_es_40_a_fold_may_begin_at_a_snapshot(stock: Stock) -> None:
    for item in "abcd":
        stock.send("cart", "c1", "add", item=item)
    history = stock.store.load(shard_of("cart", "c1", SHARDS), "cart", "c1")
    assert history is not None
    assert history.snapshot is not None
    fold = Fold(CART, "c1", history.snapshot)
    assert fold.number == 3
    assert fold.after(changes(stock, "cart", "c1")[-1]) == Cart("c1", tuple("abcd"))


def test_es_51_a_delete_leaves_the_state_of_events_as_it_was(stock: Stock) -> None:
    stock.send("cart", "c1", "add", item="a")
    stock.send("cart", "c1", "drop")
    fold = Fold(CART, "c1", None)
    assert [fold.after(c) for c in changes(stock, "cart", "c1")] == [Cart("c1", ("a",))] * 3


def test_kv_04_a_deleted_value_is_the_empty_one(stock: Stock) -> None:
    stock.send("profile", "p1", "rename", name="Ada")
    stock.send("profile", "p1", "close")
    fold = Fold(PROFILE, "p1", None)
    found = [fold.after(c) for c in changes(stock, "profile", "p1")]
    assert found[-1] == ProfileState()
