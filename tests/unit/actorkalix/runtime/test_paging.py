"""Lists by pages: each entity once, whatever the limit, over one store and over several."""

from __future__ import annotations

import asyncio

import pytest

from actorkalix.engine.timer import START, KeptCall, Plan
from actorkalix.errors import InvalidPayload
from actorkalix.runtime.paging import page_of, page_of_all
from actorkalix_cluster.shardhost.fired import TIMER
from tests.unit.actorkalix.runtime.cluster import Cluster
from tests.unit.actorkalix.runtime.shop import service
from tests.unit.actorkalix.runtime.stock import Stock

NAMES = [f"t{n}" for n in range(20)]
PLAN = Plan(KeptCall("cart", "c", "get", b"\x90"), after_ms=1_000)


def odd(_: int, name: str) -> str | None:
    return name if int(name[1:]) % 2 else None


@pytest.mark.parametrize("limit", [1, 3, 10, 100])
def test_a_store_lists_what_the_view_lets_through(limit: int) -> None:
    stock = Stock(service.descriptor)
    for name in NAMES:
        stock.timer(name, START, PLAN)
    found: list[str] = []
    page = ""
    while True:
        part, page = page_of(stock.store, TIMER, lambda _: True, page, limit, odd)
        found += part
        assert len(part) <= limit
        if not page:
            break
    assert sorted(found) == sorted(name for name in NAMES if odd(0, name))
    assert page_of(stock.store, TIMER, lambda _: False, "", limit, odd) == ([], "")


@pytest.mark.parametrize("limit", [1, 3, 20, 100])
def test_a_service_lists_store_after_store(limit: int) -> None:
    cluster = Cluster(3)
    for name in NAMES:
        cluster.stocks[cluster.home(TIMER, name)].timer(name, START, PLAN)

    async def ask(number: int, page: str, limit: int) -> tuple[list[str], str]:
        store = cluster.stocks[number].store
        return page_of(store, TIMER, lambda _: True, page, limit, lambda _, name: name)

    found: list[str] = []
    page = ""
    while True:
        part, page = asyncio.run(page_of_all(ask, TIMER, [0, 1, 2], page, limit))
        found += part
        if not page:
            break
    assert sorted(found) == sorted(NAMES)
    with pytest.raises(InvalidPayload):
        asyncio.run(page_of_all(ask, TIMER, [0, 1, 2], "", 0))
