"""What operators see of a store: LT-20, LT-26."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.errors import (
    InvalidEntityId,
    InvalidPayload,
    OwnerAway,
    StoredDataUnreadable,
    UnknownRoute,
)
from actorkalix.ports import EntityPage, EntityView, EventView, StoreView
from actorkalix.runtime.inspection import StoreInspection
from actorkalix_storage.api import Append, HomeTable, Record, RecordKind
from tests.unit.actorkalix.runtime import errands
from tests.unit.actorkalix.runtime.shop import service
from tests.unit.actorkalix.runtime.stock import NOW_MS, SHARDS, Stock


@pytest.fixture
def stock() -> Stock:
    return Stock(service.descriptor)


class Look:
    """The inspection, called without a loop."""

    def __init__(self, stock: Stock, code: ServiceDescriptor | None = service.descriptor) -> None:
        self.inspection = StoreInspection(stock.store, code)

    def entities(self, component: str, page: str = "", limit: int = 100) -> EntityPage:
        return asyncio.run(self.inspection.entities(component, page=page, limit=limit))

    def state(self, component: str, entity: str) -> EntityView:
        return asyncio.run(self.inspection.state(component, entity))

    def events(self, component: str, entity: str, **options: Any) -> list[EventView]:
        return asyncio.run(self.inspection.events(component, entity, **options))


# ---- entities ---------------------------------------------------------------------------------
def test_lt_20_ids_come_in_pages_each_once(stock: Stock) -> None:
    ids = {f"c{n}" for n in range(25)} | {"ü/?", "a b"}
    for entity in ids:
        stock.send("cart", entity, "add", item="pen")
    look, seen, page, pages = Look(stock), list[str](), "", 0
    while pages == 0 or page:
        found = look.entities("cart", page, limit=4)
        seen += found.ids
        page, pages = found.next_page, pages + 1
    assert pages == 7
    assert len(seen) == 27
    assert set(seen) == ids


def test_a_last_page_that_is_full_has_no_next(stock: Stock) -> None:
    for n in range(4):
        stock.send("cart", f"c{n}", "add", item="pen")
    assert Look(stock).entities("cart", limit=4).next_page == ""
    assert Look(stock).entities("profile") == EntityPage([], "")


def test_only_pages_that_were_given_out_are_taken(stock: Stock) -> None:
    for n in range(3):
        stock.send("cart", f"c{n}", "add", item="pen")
        stock.send("profile", f"p{n}", "rename", name="Ada")
    look = Look(stock)
    page = look.entities("cart", limit=1).next_page
    with pytest.raises(InvalidPayload, match="the list of 'cart', not of 'profile'"):
        look.entities("profile", page)
    for wrong in ("x", "%%%", page[:-3], page + "AAAA", "gA", "é", "AAAA" * 1000):
        with pytest.raises(InvalidPayload, match="page: "):
            look.entities("cart", wrong)


@pytest.mark.parametrize("limit", [0, -1, 1001, 2**63])
def test_lt_26_pages_have_limits(stock: Stock, limit: int) -> None:
    with pytest.raises(InvalidPayload, match="limit: "):
        Look(stock).entities("cart", limit=limit)
    with pytest.raises(InvalidPayload, match="limit: "):
        Look(stock).events("cart", "c1", limit=limit)


def test_an_action_has_nothing_to_look_at(stock: Stock) -> None:
    look = Look(stock, errands.service.descriptor)
    with pytest.raises(UnknownRoute, match="'intake' is an action, which has no entities"):
        look.entities("intake")


def test_an_unknown_component_is_answered_with_what_there_is(stock: Stock) -> None:
    stock.send("cart", "c1", "add", item="pen")
    with pytest.raises(UnknownRoute, match=r"did you mean cart.*there is cart, profile"):
        Look(stock).entities("carts")
    with pytest.raises(UnknownRoute, match=r"there is cart$"):
        Look(stock, None).entities("carts")
    with pytest.raises(UnknownRoute, match=r"there is none$"):
        Look(Stock(service.descriptor), None).entities("carts")


# ---- states -----------------------------------------------------------------------------------
def test_lt_20_the_state_is_the_fold_of_snapshot_and_events(stock: Stock) -> None:
    for item in "abcde":
        stock.send("cart", "c1", "add", item=item)
    view = Look(stock).state("cart", "c1")
    assert view.state == {"cart_id": "c1", "items": list("abcde")}
    assert (view.exists, view.deleted, view.sequence_number, view.note) == (True, False, 5, "")
    assert 0 <= view.shard < SHARDS


def test_a_value_is_its_newest_state(stock: Stock) -> None:
    stock.send("profile", "p1", "rename", name="Ada")
    stock.send("profile", "p1", "rename", name="Grace")
    view = Look(stock).state("profile", "p1")
    assert (view.state, view.sequence_number) == ({"name": "Grace"}, 2)
    stock.send("profile", "p1", "close")
    view = Look(stock).state("profile", "p1")
    assert (view.deleted, view.sequence_number, view.state) == (True, 3, {"name": ""})


def test_expiry_is_shown(stock: Stock) -> None:
    stock.send("cart", "c1", "hold", item="pen")
    assert Look(stock).state("cart", "c1").expires_ms == stock.now_ms + 3_600_000


def test_es_03_an_id_that_has_only_refused_commands_is_no_entity(stock: Stock) -> None:
    for entity in ("c1", "c2", "c3"):
        stock.send("cart", entity, "add", key="k", item="pen", times=0)
    stock.send("cart", "c2", "add", item="pen")
    assert Look(stock).entities("cart", limit=1) == EntityPage(["c2"], "")
    assert not Look(stock).state("cart", "c1").exists
    assert Look(stock).state("cart", "c2").exists


def test_nothing_stored_is_no_error(stock: Stock) -> None:
    view = Look(stock).state("cart", "never")
    assert (view.exists, view.state, view.sequence_number) == (False, None, 0)
    assert Look(stock).events("cart", "never") == []


@pytest.mark.parametrize("entity", ["", "x" * 257, "a\nb", "\x7f", "é" * 129])
def test_what_is_no_id_is_refused(stock: Stock, entity: str) -> None:
    with pytest.raises(InvalidEntityId):
        Look(stock).state("cart", entity)


# ---- events -----------------------------------------------------------------------------------
def test_lt_20_events_have_type_version_payload_and_metadata(stock: Stock) -> None:
    stock.send("cart", "c1", "add", item="pen")
    stock.send("cart", "c1", "remove", key="k", item="pen", reason="too dear")
    first, second = Look(stock).events("cart", "c1")
    assert (first.sequence_number, first.kind, first.type) == (1, "event", "Added")
    assert (first.type_version, first.payload, first.metadata) == (1, {"item": "pen"}, {})
    assert (first.time_ms, first.has_key, first.state) == (NOW_MS + 1000, False, None)
    assert (second.type, second.metadata) == ("Removed", {"reason": "too dear"})
    assert second.has_key
    assert second.offset > first.offset


def test_lt_20_with_the_state_after_each_from_anywhere(stock: Stock) -> None:
    for item in "abcdefgh":
        stock.send("cart", "c1", "add", item=item)
    look = Look(stock)
    for after in range(8):
        found = look.events("cart", "c1", after=after, limit=3, with_state=True)
        numbers = [view.sequence_number for view in found]
        assert numbers == list(range(after + 1, min(after + 3, 8) + 1))
        assert [view.state["items"] for view in found] == [list("abcdefgh"[:n]) for n in numbers]
    assert look.events("cart", "c1", after=8, with_state=True) == []
    assert look.events("cart", "c1", after=2**62) == []


def test_remembered_replies_are_no_changes(stock: Stock) -> None:
    stock.send("cart", "c1", "add", item="pen")
    stock.send("cart", "c1", "add", key="k", item="pen", times=0)
    stock.send("cart", "c1", "add", item="ink")
    assert [view.kind for view in Look(stock).events("cart", "c1")] == ["event", "event"]


def test_a_delete_is_shown_with_the_change_before(stock: Stock) -> None:
    stock.send("cart", "c1", "add", item="a")
    stock.send("cart", "c1", "drop")
    look = Look(stock)
    whole = look.events("cart", "c1", limit=2, with_state=True)
    assert [(view.sequence_number, view.kind) for view in whole] == [
        (1, "event"),
        (2, "event"),
        (2, "deleted"),
    ]
    assert whole[2].payload is None
    assert whole[2].state == whole[1].state
    pages = [look.events("cart", "c1", after=after, limit=1) for after in (0, 1, 2)]
    assert [len(page) for page in pages] == [1, 2, 0]


def test_values_show_their_states(stock: Stock) -> None:
    stock.send("profile", "p1", "rename", name="Ada")
    stock.send("profile", "p1", "close")
    found = Look(stock).events("profile", "p1", with_state=True)
    assert [(view.sequence_number, view.kind) for view in found][-1] == (2, "deleted")
    assert found[-1].state == {"name": ""}


# ---- without the code -------------------------------------------------------------------------
def test_without_the_code_what_is_stored_is_shown(stock: Stock) -> None:
    stock.send("profile", "p1", "rename", name="Ada")
    for item in "abc":
        stock.send("cart", "c1", "add", item=item)
    look = Look(stock, None)
    assert look.entities("cart").ids == ["c1"]
    assert look.state("profile", "p1").state == {"name": "Ada"}
    assert look.events("cart", "c1")[0].payload == {"item": "a"}
    cart = look.state("cart", "c1")
    assert cart.state == {"cart_id": "c1", "items": ["a", "b", "c"]}
    assert cart.note == ""
    stock.send("cart", "c1", "add", item="d")
    cart = look.state("cart", "c1")
    assert cart.state["items"] == ["a", "b", "c"]
    assert "1 later events are not folded" in cart.note
    with pytest.raises(InvalidPayload, match="the code of 'cart' is not here"):
        look.events("cart", "c1", with_state=True)


def test_without_code_and_snapshot_there_is_a_note(stock: Stock) -> None:
    stock.send("cart", "c1", "add", item="a")
    view = Look(stock, None).state("cart", "c1")
    assert view.state is None
    assert view.note.startswith("1 events are not folded")


def test_a_component_that_left_the_service_can_still_be_read(stock: Stock) -> None:
    stock.send("profile", "p1", "rename", name="Ada")
    alone = ServiceDescriptor("shop", {"cart": service.descriptor.components["cart"]})
    assert Look(stock, alone).state("profile", "p1").state == {"name": "Ada"}


# ---- bad data, status -------------------------------------------------------------------------
def test_what_cannot_be_read_is_a_typed_error(stock: Stock) -> None:
    shard = Look(stock).state("cart", "c1").shard
    record = Record(RecordKind.EVENT, "cart", "c1", 1, NOW_MS, b"\xc1 garbage")
    epoch = stock.store.shard(shard).position.epoch
    stock.store.commit([Append(shard, epoch, 0, (record,))])
    look = Look(stock)
    for read in (lambda: look.state("cart", "c1"), lambda: look.events("cart", "c1")):
        with pytest.raises(StoredDataUnreadable, match="cart 'c1', event 1"):
            read()


def test_status_names_identity_positions_and_sizes(stock: Stock) -> None:
    stock.send("cart", "c1", "add", item="pen")
    found = asyncio.run(StoreInspection(stock.store, service.descriptor).status())
    assert (found.service, found.shards, found.lineage) == ("shop", 8, f"{0xFEED:016x}")
    assert found.components == {"cart": "event_sourced", "profile": "value"}
    assert [shard.shard for shard in found.opened] == list(range(SHARDS))
    assert {(shard.store, shard.epoch, shard.sealed) for shard in found.opened} == {(0, 1, False)}
    assert found.records == SHARDS + 1
    assert found.stores == [StoreView(0, records=SHARDS + 1)]
    assert (found.damaged, found.homes_version, found.hosts) == ({}, 0, [])


def test_sizes_are_those_of_the_files(stock: Stock, tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"x" * 8192)
    status = StoreInspection(stock.store, None, folder=tmp_path).status()
    (store,) = asyncio.run(status).stores
    assert store.folder == str(tmp_path)
    assert list(store.files) == ["data.mdb"]


# ---- leftovers of a move ----------------------------------------------------------------------
def test_a_shard_that_has_moved_away_is_not_shown_any_more(stock: Stock) -> None:
    for n in range(12):
        stock.send("cart", f"c{n}", "add", item="pen")
    look = Look(stock)
    moved = look.state("cart", "c1").shard
    homes = tuple((int(shard == moved),) for shard in range(SHARDS))
    there = {f"c{n}" for n in range(12) if look.state("cart", f"c{n}").shard != moved}
    stock.store.put_homes(HomeTable(1, homes))
    assert set(look.entities("cart").ids) == there
    assert {*look.entities("cart", limit=1).ids} < there
    for read in (lambda: look.state("cart", "c1"), lambda: look.events("cart", "c1")):
        with pytest.raises(OwnerAway, match=f"shard {moved} is not at home in store 0"):
            read()
    status = asyncio.run(look.inspection.status())
    assert [shard.shard for shard in status.opened] == [s for s in range(SHARDS) if s != moved]
    assert status.records == SHARDS - 1 + len(there)
    assert status.homes_version == 1


def test_components_are_those_that_are_stored(stock: Stock) -> None:
    stock.send("cart", "c1", "add", item="pen")
    assert asyncio.run(Look(stock).inspection.components()) == ["cart"]
