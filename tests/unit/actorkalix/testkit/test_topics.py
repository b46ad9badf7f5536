"""Topics of a whole service: published by handlers and from outside, taken by groups."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from actorkalix import (
    Action,
    CommandError,
    Context,
    Effect,
    Service,
    ValueEntity,
    command,
    handler,
    publish,
    query,
    subscribe,
    topic,
)
from actorkalix.errors import InvalidPayload, PayloadTooLarge
from actorkalix.testkit import TestService

SOON = timedelta(seconds=1)


@dataclass(frozen=True)
class Order:
    order_id: str
    cents: int = 0


@dataclass(frozen=True)
class Refund:
    order_id: str


@dataclass(frozen=True)
class Parcel:
    order_id: str


class Sum(ValueEntity[int], id="sum"):
    def empty_state(self) -> int:
        return 0

    @command
    def add(self, amount: int) -> Effect[None]:
        return self.effects.update_state(self.state + amount).then_reply(None)

    @query
    def total(self) -> int:
        return self.state


class Shop(Action, id="shop", runs="inline"):
    """Publishes: what a caller orders, and each total that an entity comes to."""

    @handler
    @publish(topic("orders", Order))
    async def order(self, order_id: str, cents: int) -> Effect[Order]:
        made = Order(order_id, cents)
        return self.effects.reply(made).with_metadata({"ce-subject": order_id, "shop": "north"})

    @subscribe(Sum)
    @publish(topic("totals"))
    async def on_total(self, total: int) -> int | None:
        return None if total % 2 else total


class Billing(Action, id="billing", runs="inline"):
    seen: list[tuple[str, Order]] = []
    contexts: list[Context] = []
    broken: set[str] = set()

    @subscribe(topic("orders", Order))
    @publish(topic("parcels", Parcel))
    async def bill(self, order: Order) -> Parcel | None:
        if order.order_id in self.broken:
            raise CommandError("not now")
        self.seen.append((self.context.subject, order))
        self.contexts.append(self.context)
        await self.client.entity(Sum, "billed").add(order.cents)
        return Parcel(order.order_id) if order.cents else None


class Audit(Action, id="audit", runs="inline"):
    raw: list[bytes] = []
    text: list[str] = []
    kinds: list[str] = []
    lists: list[list[Order]] = []

    @subscribe(topic("orders"), group="raw")
    async def on_bytes(self, data: bytes) -> None:
        self.raw.append(data)

    @subscribe(topic("notes"))
    async def on_text(self, text: str) -> None:
        self.text.append(text)

    @subscribe(topic("mixed"), only=Order)
    async def on_order(self, order: Order) -> None:
        self.kinds.append(f"order {order.order_id}")

    @subscribe(topic("mixed"), only=Refund)
    async def on_refund(self, refund: Refund) -> None:
        self.kinds.append(f"refund {refund.order_id}")

    @subscribe(topic("mixed"), group="both")
    async def on_both(self, one: Order | Refund) -> None:
        self.kinds.append(type(one).__name__)

    @subscribe(topic("orders", Order), group="lists", batch_max=4)
    async def on_list(self, orders: list[Order]) -> None:
        assert len(self.context.batch) == len(orders)
        self.lists.append(orders)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    Billing.seen, Billing.contexts, Billing.broken = [], [], set()
    Audit.raw, Audit.text, Audit.kinds, Audit.lists = [], [], [], []


def run(case: Callable[[TestService], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        service = Service("shop", components=[Sum, Shop, Billing, Audit])
        async with TestService(service) as running:
            await case(running)

    asyncio.run(whole())


async def total(running: TestService, name: str) -> int:
    return await running.client.entity(Sum, name).total()


def test_what_an_action_returns_is_published_and_taken_by_every_group() -> None:
    async def case(running: TestService) -> None:
        made = await running.client.action(Shop).order("o1", 5)
        assert made == Order("o1", 5)
        await running.advance(SOON)
        assert Billing.seen == [("o1", Order("o1", 5))]
        assert Audit.raw == [b'{"order_id":"o1","cents":5}']
        assert Audit.lists == [[Order("o1", 5)]]
        assert await total(running, "billed") == 5
        (context,) = Billing.contexts
        event = context.metadata
        assert (event["ce-specversion"], event["ce-type"]) == ("1.0", "Order")
        assert (event["ce-source"], event["ce-subject"]) == ("shop", "o1")
        assert (event["content-type"], event["shop"]) == ("application/json", "north")
        assert event["ce-id"].startswith("orders/")
        assert event["ce-time"].endswith("Z")
        assert context.sequence_number == 0
        assert context.delivery_id
        parcel = await running.topic("parcels").expect()
        assert parcel.value(Parcel) == Parcel("o1")
        assert parcel.subject == "o1", "by default what the handled message is about"

    run(case)


def test_none_is_not_published() -> None:
    async def case(running: TestService) -> None:
        await running.client.action(Shop).order("free", 0)
        await running.topic("parcels").expect_none()
        assert Billing.seen == [("free", Order("free", 0))]

    run(case)


def test_changes_of_entities_are_published_by_the_action_that_follows_them() -> None:
    async def case(running: TestService) -> None:
        one = running.client.entity(Sum, "s1")
        for amount in (2, 1, 1):
            await one.add(amount)
            await running.advance(SOON)
        totals = running.topic("totals")
        assert [await totals.expect(int), await totals.expect(int)] == [2, 4]
        await totals.expect_none()
        assert {each.subject for each in await totals.messages()} == {"s1"}

    run(case)


def test_effects_happen_once_across_kills() -> None:
    async def case(running: TestService) -> None:
        for number in range(6):
            await running.topic("orders").publish(Order(f"o{number}", 1), subject=f"o{number}")
            await running.restart()
        for _ in range(3):
            await running.advance(SOON)
            await running.restart()
        await running.advance(SOON)
        assert len(Billing.seen) >= 6
        assert await total(running, "billed") == 6
        parcels = await running.topic("parcels").clear()
        assert sorted(each.value(Parcel).order_id for each in parcels) == [
            f"o{number}" for number in range(6)
        ]

    run(case)


def test_redelivery_publishes_once() -> None:
    """The cursor is written a second later: what was handled by then is handled again."""

    async def case(running: TestService) -> None:
        await running.topic("orders").publish(Order("o1", 3), subject="o1")
        await running.advance(timedelta(milliseconds=1))
        assert len(Billing.seen) == 1
        await running.restart()
        await running.advance(SOON)
        assert len(Billing.seen) == 2, "it was handled again"
        assert len(await running.topic("parcels").messages()) == 1
        assert await total(running, "billed") == 3

    run(case)


def test_order_of_a_subject() -> None:
    async def case(running: TestService) -> None:
        for cents in range(20):
            for name in ("a", "b", "c"):
                await running.topic("orders").publish(Order(name, cents), subject=name)
        await running.advance(SOON)
        for name in ("a", "b", "c"):
            mine = [order.cents for subject, order in Billing.seen if subject == name]
            assert mine == list(range(20))

    run(case)


def test_a_message_that_fails_waits_with_its_partition_and_others_go_on() -> None:
    async def case(running: TestService) -> None:
        orders = running.topic("orders")
        Billing.broken.add("bad")
        bad = await orders.publish(Order("bad", 1), subject="bad")
        places = {
            f"o{number}": await orders.publish(Order(f"o{number}", 1), subject=f"o{number}")
            for number in range(16)
        }
        other = next(name for name, at in places.items() if at.partition != bad.partition)
        await orders.publish(Order("after", 1), subject="bad")
        await running.advance(SOON)
        seen = [order.order_id for _, order in Billing.seen]
        assert other in seen
        assert "after" not in seen
        assert len(Audit.raw) == len(await orders.messages()), "other groups have it all"
        Billing.broken.clear()
        await running.advance(timedelta(minutes=1))
        mine = [order.order_id for subject, order in Billing.seen if subject == "bad"]
        assert mine == ["bad", "after"]

    run(case)


def test_data_that_cannot_be_read_park(caplog: pytest.LogCaptureFixture) -> None:
    async def case(running: TestService) -> None:
        with caplog.at_level(logging.WARNING, "actorkalix.consumer"):
            await running.topic("orders").publish({"cents": "many"}, subject="x")
            await running.topic("orders").publish(b"\x00", subject="y")
            await running.advance(SOON)
        assert "order_id: missing" in caplog.text or "cents: expected" in caplog.text
        assert "application/octet-stream: it is no Order" in caplog.text
        assert Billing.seen == []
        assert len(Audit.raw) == 2

    run(case)


def test_text_and_types() -> None:
    async def case(running: TestService) -> None:
        await running.topic("notes").publish("hello")
        mixed = running.topic("mixed")
        await mixed.publish(Order("o1"), subject="s")
        await mixed.publish(Refund("o1"), subject="s")
        await running.advance(SOON)
        assert Audit.text == ["hello"]
        assert [kind for kind in Audit.kinds if " " in kind] == ["order o1", "refund o1"]
        assert [kind for kind in Audit.kinds if " " not in kind] == ["Order", "Refund"]

    run(case)


def test_an_id_is_published_once() -> None:
    async def case(running: TestService) -> None:
        orders = running.topic("orders")
        first = await orders.publish(Order("o1", 1), id="m1")
        assert await orders.publish(Order("o1", 2), id="m1") == first
        found = await orders.expect()
        assert (found.id, found.value(Order)) == ("m1", Order("o1", 1))
        assert (found.partition, found.number) == (first.partition, first.number)
        await orders.expect_none()
        assert len({(await orders.publish(Order("o2", n))).partition for n in range(50)}) > 4

    run(case)


def test_the_kit_says_what_is_wrong() -> None:
    async def case(running: TestService) -> None:
        with pytest.raises(ValueError, match=r"no topic 'ordres'; there are 'mixed', 'notes'"):
            running.topic("ordres")
        orders = running.topic("orders")
        with pytest.raises(AssertionError, match="expected 1 more, there are 0"):
            await orders.expect()
        with pytest.raises(PayloadTooLarge):
            await orders.publish(b"x" * 1_000_000)
        await orders.publish({"nobody": 1}, metadata={"ce_type": "Other", "ce-source": "there"})
        with pytest.raises(AssertionError, match="expected no more, there are 1"):
            await orders.expect_none()
        (found,) = await orders.expect_many(1)
        assert (found.metadata["ce-type"], found.metadata["ce-source"]) == ("Other", "there")
        with pytest.raises(InvalidPayload):
            found.value(Order)

    run(case)
