"""Timers of several stores are listed as one, and cancelled where they are."""

from __future__ import annotations

import asyncio

import pytest

from actorkalix.engine.timer import START, KeptCall, Plan
from actorkalix.errors import InvalidPayload, InvalidTimer, OwnerAway, StoredDataUnreadable
from actorkalix.model.client import Calls
from actorkalix.ports import TimerPage
from actorkalix.runtime.timer_listing import TimerCancel, cancel_methods, timers_of
from actorkalix.testkit import TestService
from actorkalix_cluster.shardhost.fired import TIMER
from actorkalix_storage.api import Append, Record, RecordKind
from actorkalix_storage.memorystore import MemoryStore
from tests.unit.actorkalix.runtime.bell import Bell, service
from tests.unit.actorkalix.runtime.cluster import Cluster
from tests.unit.actorkalix.runtime.stock import NOW_MS
from tests.unit.actorkalix.runtime.test_timing import S

NAMES = [f"t{n}" for n in range(25)]
PLAN = Plan(KeptCall("cart", "c", "get", b"\x90"), after_ms=1_000)


@pytest.fixture
def cluster() -> Cluster:
    """Three stores with 25 timers."""
    cluster = Cluster(3)
    for name in NAMES:
        cluster.stocks[cluster.home(TIMER, name)].timer(name, START, PLAN)
    return cluster


@pytest.mark.parametrize("limit", [1, 2, 7, 24, 25, 26, 1000])
def test_pages_go_through_all_stores_and_name_each_timer_once(cluster: Cluster, limit: int) -> None:
    found: list[TimerPage] = []
    while not found or found[-1].next_page:
        page = found[-1].next_page if found else ""
        found.append(asyncio.run(cluster.inspection.timers(page=page, limit=limit)))
    assert sorted(timer.name for page in found for timer in page.timers) == sorted(NAMES)
    assert all(len(page.timers) <= limit for page in found)


def test_what_cannot_be_answered_is_an_error(cluster: Cluster) -> None:
    for page, limit in (("", 0), ("", 1_001), ("nonsense", 5)):
        with pytest.raises(InvalidPayload):
            asyncio.run(cluster.inspection.timers(page=page, limit=limit))
    del cluster.methods[1]
    with pytest.raises(OwnerAway):
        asyncio.run(cluster.inspection.timers(limit=1000))


def test_a_timer_that_cannot_be_read_is_named(cluster: Cluster) -> None:
    store = cluster.stocks[0].store
    assert isinstance(store, MemoryStore)
    record = Record(RecordKind.STATE, TIMER, "odd", 1, NOW_MS, b"\xc1")
    store.commit([Append(0, store.shard(0).position.epoch, 0, (record,))])
    with pytest.raises(StoredDataUnreadable, match="timer 'odd'"):
        timers_of(store, lambda shard: True, "", 100)


def test_a_timer_is_cancelled_by_its_owner(cluster: Cluster) -> None:
    async def case() -> None:
        async with TestService(service) as running:
            call = running.client.entity(Bell, "b").ring()
            await running.timers.start_single("t3", after=S, call=call)
            home = cluster.home(TIMER, "t3")
            cluster.methods[home] |= cancel_methods(running, running._clock)
            cancel = TimerCancel(cluster.calls, lambda: cluster.table)
            assert await cancel("t3") is True
            assert await cancel("t3") is False
            assert await running.timers.get("t3") is None
            with pytest.raises(InvalidTimer):
                await cancel("")

    asyncio.run(case())


def test_the_list_shows_what_get_shows() -> None:
    async def case() -> None:
        async with TestService(service) as running:
            call = Calls().entity(Bell, "b").ring().with_metadata({"a": "b"})
            await running.timers.start_periodic("p", every=S, call=call, max_retries=2)
            (timer,) = timers_of(running._store, lambda shard: True, "", 10).timers
            assert timer == await running.timers.get("p")
            assert (timer.every_ms, timer.max_retries, timer.number) == (1_000, 2, 1)

    asyncio.run(case())
