"""Newest positions and whose a record is, over all stores of a service."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from actorkalix.errors import OwnerAway
from actorkalix.runtime.view_places import HEADS, SUBJECT, ServicePlaces, place_methods
from actorkalix_cluster.placement.sharding import shard_of
from actorkalix_storage.api import HomeTable, Position
from tests.unit.actorkalix.runtime import shop
from tests.unit.actorkalix.runtime.stock import SHARDS, Stock


def two() -> tuple[Stock, int, int]:
    """A store with a cart; the shard of that, and another one."""
    stock = Stock(shop.service.descriptor)
    stock.send("cart", "c1", "add", item="pen")
    shard = shard_of("cart", "c1", SHARDS)
    return stock, shard, (shard + 1) % SHARDS


def homes(*, away: int) -> HomeTable:
    return HomeTable(1, tuple((1 if shard == away else 0,) for shard in range(SHARDS)))


class Others:
    """The host of store 1."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, str]] = []

    async def call(self, store: int, method: str, arguments: bytes) -> bytes:
        """Answers as it should."""
        self.asked.append((store, method))
        answer: object = {9: (7, 1, 5)} if method == HEADS else ("cart", "c9")
        return msgspec.msgpack.encode(answer)


def test_heads_are_those_of_all_stores() -> None:
    stock, shard, away = two()
    others = Others()
    places = ServicePlaces(stock.store, lambda: homes(away=away), others.call)
    found = asyncio.run(places.heads())
    assert found[shard].offset == 2
    assert found[9] == Position(7, 1, 5)
    assert others.asked == [(1, HEADS)]
    assert (places.shards, places.lineage) == (SHARDS, stock.store.identity.lineage)


def test_whose_a_record_is_says_the_store_that_has_it() -> None:
    stock, shard, away = two()
    others = Others()
    places = ServicePlaces(stock.store, lambda: homes(away=away), others.call)
    assert asyncio.run(places.subject_at(shard, 2)) == ("cart", "c1")
    assert asyncio.run(places.subject_at(shard, 3)) is None
    assert asyncio.run(places.subject_at(away, 4)) == ("cart", "c9")
    assert others.asked == [(1, SUBJECT)]


def test_a_host_answers_for_its_own_store() -> None:
    stock, shard, away = two()
    methods = place_methods(stock.store, lambda: homes(away=away))

    async def ask(method: str, asked: object) -> bytes:
        return await methods[method](msgspec.msgpack.encode(asked))

    heads = msgspec.msgpack.decode(
        asyncio.run(ask(HEADS, None)), type=dict[int, tuple[int, int, int]]
    )
    assert heads[shard][2] == 2
    found = asyncio.run(ask(SUBJECT, {"shard": shard, "offset": 2}))
    assert msgspec.msgpack.decode(found) == ["cart", "c1"]


def test_a_store_that_is_away_is_an_error() -> None:
    async def nobody(store: int, method: str, arguments: bytes) -> bytes:
        raise OwnerAway(f"store {store}")

    stock, _, away = two()
    places = ServicePlaces(stock.store, lambda: homes(away=away), nobody)
    with pytest.raises(OwnerAway):
        asyncio.run(places.heads())
