"""A service of several stores looks like one, and what is away is never left out in silence."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec
import pytest

from actorkalix.errors import (
    InvalidEntityId,
    InvalidPayload,
    OwnerAway,
    StoredDataDamaged,
    StoreFull,
    UnknownRoute,
)
from actorkalix.ports import EntityPage, HostMethod, HostView
from actorkalix.runtime import fanout
from actorkalix.runtime.fanout import ClusterInspection, LocalCalls
from actorkalix.runtime.host_methods import host_method
from actorkalix_cluster.placement.sharding import shard_of
from actorkalix_storage.api import Damaged, HomeTable
from tests.unit.actorkalix.runtime.cluster import Cluster, Processes
from tests.unit.actorkalix.runtime.shop import service
from tests.unit.actorkalix.runtime.stock import IDENTITY, SHARDS


@pytest.fixture
def cluster() -> Cluster:
    """Three stores with 25 carts."""
    cluster = Cluster(3)
    for n in range(25):
        cluster.send("cart", f"c{n}", "add", item="pen")
    return cluster


def pages(cluster: Cluster, limit: int, component: str = "cart") -> Iterator[EntityPage]:
    page = None
    while page is None or page.next_page:
        token = page.next_page if page is not None else ""
        found = cluster.inspection.entities(component, page=token, limit=limit)
        page = asyncio.run(found)
        yield page


# ---- entities ---------------------------------------------------------------------------------
@pytest.mark.parametrize("limit", [1, 2, 7, 24, 25, 26, 1000])
def test_pages_go_through_all_stores_and_name_each_entity_once(
    cluster: Cluster, limit: int
) -> None:
    found = list(pages(cluster, limit))
    seen = [entity for page in found for entity in page.ids]
    assert sorted(seen) == sorted(f"c{n}" for n in range(25))
    assert [len(page.ids) for page in found[:-1]] == [limit] * (len(found) - 1)
    assert found[-1].ids
    stores = [cluster.home("cart", entity) for entity in seen]
    assert stores == sorted(stores)


def test_more_entities_than_a_store_answers_at_once(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout, "PAGE_MAX", 3)
    assert sum(len(page.ids) for page in pages(cluster, 3)) == 25


def test_a_component_without_entities_has_one_empty_page(cluster: Cluster) -> None:
    assert list(pages(cluster, 5, "profile")) == [EntityPage([], "")]


def test_a_store_that_is_away_is_no_short_list(cluster: Cluster) -> None:
    del cluster.methods[1]
    first = asyncio.run(cluster.inspection.entities("cart", limit=1))
    assert len(first.ids) == 1  # it does not take store 1 to know that there are more
    with pytest.raises(OwnerAway, match="store 1"):
        asyncio.run(cluster.inspection.entities("cart", limit=25))


def test_only_pages_that_were_given_out_are_taken(cluster: Cluster) -> None:
    page = next(pages(cluster, 1)).next_page
    with pytest.raises(InvalidPayload, match="the list of 'cart', not of 'profile'"):
        asyncio.run(cluster.inspection.entities("profile", page=page))
    of_a_store = asyncio.run(
        cluster.calls.call(
            0,
            "inspect.entities",
            msgspec.msgpack.encode({"component": "cart", "page": "", "limit": 1}),
        )
    )
    other = msgspec.msgpack.decode(of_a_store, type=EntityPage).next_page
    for wrong in ("x", "%%%", page[:-3], page + "AAAA", "gA", "é", "AAAA" * 1000, other):
        with pytest.raises(InvalidPayload, match="page: "):
            asyncio.run(cluster.inspection.entities("cart", page=wrong))
    for limit in (0, 1001, -1):
        with pytest.raises(InvalidPayload, match="limit: "):
            asyncio.run(cluster.inspection.entities("cart", limit=limit))


def test_a_page_from_before_a_move_is_refused(cluster: Cluster) -> None:
    page = next(pages(cluster, 1)).next_page
    cluster.table = HomeTable(2, cluster.table.homes)
    with pytest.raises(InvalidPayload, match="moved"):
        asyncio.run(cluster.inspection.entities("cart", page=page))


def test_a_store_whose_table_lags_shows_no_leftovers(cluster: Cluster) -> None:
    """After a crash in a move, a source has the old table still and would list what moved."""
    moved = asyncio.run(cluster.inspection.state("cart", cluster.ids(0, 1)[0])).shard
    gone = {entity for entity in cluster.ids(0, 100) if shard_of("cart", entity, SHARDS) == moved}
    homes = list(cluster.table.homes)
    homes[moved] = (1,)
    cluster.table = HomeTable(2, tuple(homes))
    seen = {entity for page in pages(cluster, 2) for entity in page.ids}
    assert seen == {f"c{n}" for n in range(25)} - gone
    opened = asyncio.run(cluster.inspection.status()).opened
    assert moved not in {shard.shard for shard in opened}


def test_a_host_answers_for_shards_of_its_own_table_alone(cluster: Cluster) -> None:
    (entity,) = cluster.ids(0, 1)
    cluster.stocks[0].store.put_homes(HomeTable(2, ((1,),) * SHARDS))
    with pytest.raises(OwnerAway, match="not at home in store 0"):
        asyncio.run(cluster.inspection.state("cart", entity))
    with pytest.raises(OwnerAway, match="not at home in store 0"):
        asyncio.run(cluster.inspection.events("cart", entity))


# ---- states and events ------------------------------------------------------------------------
def test_states_and_events_come_from_the_home_of_the_shard(cluster: Cluster) -> None:
    for store in range(3):
        (entity,) = cluster.ids(store, 1)
        cluster.send("cart", entity, "add", item="ink")
        view = asyncio.run(cluster.inspection.state("cart", entity))
        assert view.state == {"cart_id": entity, "items": ["pen", "ink"]}
        found = cluster.inspection.events("cart", entity, after=1, limit=1, with_state=True)
        (event,) = asyncio.run(found)
        assert (event.payload, event.state["items"]) == ({"item": "ink"}, ["pen", "ink"])


def test_what_is_away_harms_its_own_entities_alone(cluster: Cluster) -> None:
    del cluster.methods[1]
    (here,), (away,) = cluster.ids(0, 1), cluster.ids(1, 1)
    assert asyncio.run(cluster.inspection.state("cart", here)).exists
    with pytest.raises(OwnerAway, match="store 1"):
        asyncio.run(cluster.inspection.state("cart", away))
    with pytest.raises(OwnerAway, match="store 1"):
        asyncio.run(cluster.inspection.events("cart", away))


def test_integers_of_more_than_64_bits_arrive() -> None:
    cluster = Cluster(1)
    big = 2**70

    async def state(_: object) -> bytes:
        answer = {"component": "cart", "entity": "c", "shard": 0, "sequence_number": 1}
        facts = {"deleted": False, "expires_ms": 0, "exists": True, "state": {"n": big}}
        return msgspec.json.encode({**answer, **facts})

    cluster.methods[0]["inspect.state"] = host_method(dict, state)
    assert asyncio.run(cluster.inspection.state("cart", "c")).state == {"n": big}


def test_what_was_asked_wrongly_is_said_as_by_a_store(cluster: Cluster) -> None:
    with pytest.raises(InvalidEntityId):
        asyncio.run(cluster.inspection.state("cart", "a\nb"))
    with pytest.raises(InvalidPayload, match="after: "):
        asyncio.run(cluster.inspection.events("cart", "c1", after=-1))
    with pytest.raises(UnknownRoute, match="did you mean cart"):
        asyncio.run(cluster.inspection.entities("carts"))
    with pytest.raises(UnknownRoute, match="did you mean cart"):
        asyncio.run(cluster.inspection.state("carts", "c1"))


def test_without_the_code_a_component_is_known_when_any_store_has_it() -> None:
    cluster = Cluster(2, None)
    (profile,) = [p for p in ("p0", "p1", "p2", "p3") if cluster.home("profile", p) == 1][:1]
    (cart,) = cluster.ids(0, 1)
    cluster.send("profile", profile, "rename", name="Ada")
    cluster.send("cart", cart, "add", item="pen")
    assert asyncio.run(cluster.inspection.entities("profile")).ids == [profile]
    assert asyncio.run(cluster.inspection.state("profile", profile)).state == {"name": "Ada"}
    nobody = next(p for p in ("x0", "x1", "x2", "x3") if cluster.home("profile", p) == 0)
    assert not asyncio.run(cluster.inspection.state("profile", nobody)).exists
    assert asyncio.run(cluster.inspection.events("profile", nobody)) == []
    with pytest.raises(UnknownRoute, match=r"did you mean cart.*there is cart, profile"):
        asyncio.run(cluster.inspection.entities("carts"))
    with pytest.raises(UnknownRoute, match="there is cart, profile"):
        asyncio.run(cluster.inspection.events("views", cart))


# ---- status -----------------------------------------------------------------------------------
def test_the_status_is_of_all_stores(cluster: Cluster) -> None:
    status = asyncio.run(cluster.inspection.status())
    assert [store.store for store in status.stores] == [0, 1, 2]
    assert [(shard.shard, shard.store) for shard in status.opened] == [
        (shard, shard % 3) for shard in range(SHARDS)
    ]
    assert status.records == SHARDS + 25 == sum(store.records for store in status.stores)
    assert (status.homes_version, status.shards, status.service) == (1, SHARDS, "shop")


def test_the_status_shows_what_is_away(cluster: Cluster) -> None:
    async def damaged(_: bytes) -> bytes:
        raise Damaged("store 2 is damaged")

    cluster.methods[2]["inspect.status"] = damaged
    calls = Watched(cluster.methods, away=1)
    hosts = Processes(HostView(0, "serving", 7), HostView(1, "away"), HostView(2, "fenced"))
    whole = ClusterInspection(calls, lambda: cluster.table, service.descriptor, fleet=hosts)
    status = asyncio.run(whole.status())
    assert [store.away for store in status.stores] == [
        "",
        "store 1 is not open",
        "store 2 is damaged",
    ]
    assert (status.controller_pid, status.standby_pid) == (100, 200)
    assert [host.state for host in status.hosts] == ["serving", "away", "fenced"]
    assert {shard.store for shard in status.opened} == {0}


def test_a_service_whose_stores_are_all_away_has_its_name_still(cluster: Cluster) -> None:
    calls = LocalCalls({})
    nameless = ClusterInspection(calls, lambda: cluster.table, None)
    assert asyncio.run(nameless.status()).service == ""
    named = ClusterInspection(calls, lambda: cluster.table, None, identity=IDENTITY)
    status = asyncio.run(named.status())
    assert (status.service, status.lineage) == ("shop", f"{0xFEED:016x}")


def test_who_does_not_answer_is_away(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(_: bytes) -> bytes:
        await asyncio.Event().wait()
        return b""

    monkeypatch.setattr(fanout, "STATUS_S_MAX", 0.0)
    (entity,) = cluster.ids(1, 1)
    cluster.methods[1] = {"inspect.status": hangs, "inspect.state": hangs}
    hosts = Processes(*(HostView(n, "serving") for n in range(3)))
    whole = ClusterInspection(cluster.calls, lambda: cluster.table, service.descriptor, fleet=hosts)

    async def state() -> None:
        # Cancelled from outside: the wait itself is seconds of real time.
        asking = asyncio.create_task(whole.state("cart", entity))
        await asyncio.sleep(0)
        assert not asking.done()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(state())
    away = {store.store: store.away for store in asyncio.run(whole.status()).stores}
    assert away[1] == "store 1: no answer within 0 s"


# ---- calls without processes ------------------------------------------------------------------
class Watched(LocalCalls):
    """Says that a store is there, and calls it away."""

    def __init__(self, methods: dict[int, dict[str, HostMethod]], away: int) -> None:
        self._stores = tuple(sorted(methods))
        super().__init__({n: found for n, found in methods.items() if n != away})

    def stores(self) -> tuple[int, ...]:
        return self._stores


def test_local_calls_raise_what_a_host_would() -> None:
    async def full(_: bytes) -> bytes:
        raise StoreFull("no space")

    async def damaged(_: bytes) -> bytes:
        raise Damaged("page 7")

    async def double(number: int) -> int:
        return 2 * number

    offered = {"full": full, "damaged": damaged, "double": host_method(int, double)}
    calls = LocalCalls({3: offered, 1: {}})
    assert calls.stores() == (1, 3)
    assert asyncio.run(calls.call(3, "double", b"\x15")) == b"\x2a"
    for store, method, error, said in (
        (2, "full", OwnerAway, "store 2"),
        (1, "full", UnknownRoute, "store 1 has no method 'full'"),
        (3, "full", StoreFull, "no space"),
        (3, "damaged", StoredDataDamaged, "page 7"),
    ):
        with pytest.raises(error, match=said):
            asyncio.run(calls.call(store, method, b""))
