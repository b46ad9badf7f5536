"""States of all entities of a component, over all stores, none left out in silence."""

from __future__ import annotations

import asyncio

import pytest

from actorkalix.errors import InvalidPayload, OwnerAway
from actorkalix.runtime import state_scan
from actorkalix.runtime.fanout import LocalCalls
from actorkalix.runtime.inspection import StoreInspection
from actorkalix.runtime.state_scan import scan_methods, states_of_all
from tests.unit.actorkalix.runtime import shop
from tests.unit.actorkalix.runtime.stock import Stock


def stock_of(*carts: str) -> Stock:
    stock = Stock(shop.service.descriptor)
    for cart in carts:
        stock.send("cart", cart, "add", item="pen")
    return stock


def calls(*stocks: Stock) -> LocalCalls:
    service = shop.service.descriptor
    return LocalCalls(
        {
            number: scan_methods(StoreInspection(stock.store, service))
            for number, stock in enumerate(stocks)
        }
    )


def test_all_pages_of_all_stores_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_scan, "PAGE", 2)
    over = calls(stock_of("a", "b", "c", "d", "e"), stock_of("f"))
    found = asyncio.run(states_of_all(over, (0, 1), "cart", None))
    assert sorted(one.entity for one in found) == ["a", "b", "c", "d", "e", "f"]
    assert all(one.number == 1 and one.state["items"] for one in found)


def test_a_component_without_entities_has_no_states() -> None:
    assert asyncio.run(states_of_all(calls(stock_of()), (0,), "cart", None)) == []


def test_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_scan, "STATES_MAX", 1)
    with pytest.raises(InvalidPayload, match="cart has more than 1 entities"):
        asyncio.run(states_of_all(calls(stock_of("a", "b")), (0,), "cart", None))


def test_a_store_that_is_away_is_named() -> None:
    with pytest.raises(OwnerAway, match="store 7"):
        asyncio.run(states_of_all(calls(stock_of("a")), (0, 7), "cart", None))
