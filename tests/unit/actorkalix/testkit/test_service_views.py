"""Views of a whole service in one process: entities, workflows and topics make their rows."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from actorkalix import (
    Action,
    Effect,
    RowEffect,
    Service,
    StepEffect,
    View,
    Workflow,
    command,
    publish,
    query,
    sql,
    step,
    subscribe,
    table,
    topic,
)
from actorkalix.errors import RowNotFound
from actorkalix.testkit import TestService
from tests.unit.actorkalix.views.shop import (
    FAILING,
    Added,
    CartRow,
    Carts,
    Customer,
    CustomerEntity,
    Kept,
    ShoppingCart,
)


@dataclass(frozen=True)
class Trip:
    """Where somebody goes, and how far they have come."""

    to: str
    at: int = 0


class Travel(Workflow[Trip], id="travel"):
    """Goes somewhere in three steps."""

    @command
    def start(self, to: str) -> Effect[str]:
        trip = Trip(to)
        return self.effects.update_state(trip).transition_to(self.go).then_reply("on the way")

    @query
    def get(self) -> Trip:
        return self.state

    @step
    async def go(self) -> StepEffect:
        there = replace(self.state, at=self.state.at + 1)
        moved = self.effects.update_state(there)
        return moved.end() if there.at == 3 else moved.transition_to(self.go)


@dataclass(frozen=True)
class TripRow:
    traveller: str
    to: str
    at: int


@dataclass(frozen=True)
class Count:
    cart: str
    events: int


class Trips(View, id="trips"):
    @table("trips", source=Travel)
    def on_trip(self, row: TripRow | None, trip: Trip) -> RowEffect[TripRow]:
        return self.effects.update_row(TripRow(self.context.subject, trip.to, trip.at))

    @sql("SELECT * FROM trips WHERE traveller = :traveller")
    def of(self, traveller: str) -> TripRow:
        raise NotImplementedError


class Publisher(Action, id="publisher", runs="inline"):
    @subscribe(ShoppingCart, only=Added)
    @publish(topic("added"))
    async def on_added(self, event: Added) -> Added:
        return event


class Counts(View, id="counts"):
    @table("counts", source=topic("added", Added))
    def on_added(self, row: Count | None, event: Added) -> RowEffect[Count]:
        row = row or Count(self.context.subject, 0)
        return self.effects.update_row(replace(row, events=row.events + 1))

    @sql("SELECT * FROM counts WHERE cart = :cart")
    def of(self, cart: str) -> Count:
        raise NotImplementedError


SHOP = Service(
    "shop",
    components=[ShoppingCart, CustomerEntity, Carts, Kept, Travel, Trips, Publisher, Counts],
)


def run(case: Coroutine[Any, Any, None]) -> None:
    FAILING.clear()
    asyncio.run(case)


def test_what_is_done_is_seen_when_views_have_caught_up() -> None:
    async def case() -> None:
        async with TestService(SHOP) as running:
            cart = running.client.entity(ShoppingCart, "a")
            await cart.add(3)
            await cart.add(4)
            await running.views_caught_up()
            carts = running.client.view(Carts)
            assert await carts.by_id("a") == CartRow("a", 7, 2)
            await cart.drop()
            await running.advance(timedelta(0))
            with pytest.raises(RowNotFound):
                await carts.by_id("a")
            assert await running.client.view(Kept).by_id("a") == CartRow("a", -1, 3)

    run(case())


def test_views_survive_the_process() -> None:
    async def case() -> None:
        async with TestService(SHOP) as running:
            await running.client.entity(ShoppingCart, "a").add(3)
            await running.views_caught_up()
            await running.restart()
            await running.client.entity(ShoppingCart, "a").add(4)
            await running.views_caught_up()
            assert await running.client.view(Carts).by_id("a") == CartRow("a", 7, 2)

    run(case())


def test_states_of_workflows_make_rows() -> None:
    async def case() -> None:
        async with TestService(SHOP) as running:
            await running.client.workflow(Travel, "ann").start("Ulm")
            await running.advance(timedelta(seconds=5))
            assert await running.client.workflow(Travel, "ann").get() == Trip("Ulm", 3)
            assert await running.client.view(Trips).of("ann") == TripRow("ann", "Ulm", 3)

    run(case())


def test_messages_of_topics_make_rows() -> None:
    async def case() -> None:
        async with TestService(SHOP) as running:
            for cart in ("a", "b", "a"):
                await running.client.entity(ShoppingCart, cart).add(1)
            await running.advance(timedelta(seconds=1))
            assert await running.client.view(Counts).of("a") == Count("a", 2)
            assert await running.client.view(Counts).of("b") == Count("b", 1)

    run(case())


def test_a_subject_that_fails_is_handled_later() -> None:
    async def case() -> None:
        async with TestService(SHOP) as running:
            FAILING.add("a")
            await running.client.entity(ShoppingCart, "a").add(1)
            await running.client.entity(ShoppingCart, "b").add(2)
            await running.views_caught_up()
            carts = running.client.view(Carts)
            assert await carts.by_id("b") == CartRow("b", 2, 1)
            FAILING.clear()
            await running.client.entity(ShoppingCart, "a").add(5)
            await running.advance(timedelta(seconds=5))
            assert await carts.by_id("a") == CartRow("a", 6, 2)

    run(case())


def test_other_entities_make_rows_too() -> None:
    async def case() -> None:
        async with TestService(SHOP) as running:
            await running.client.entity(CustomerEntity, "x").set(Customer("X", "Ulm"))
            await running.client.entity(ShoppingCart, "a").empty()
            await running.views_caught_up()
            assert await running.client.view(Carts).by_id("a") == CartRow("a", 0, 1)

    run(case())
