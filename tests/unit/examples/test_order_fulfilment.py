"""Orders, as they are fulfilled: branches, children, and what is given back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from actorkalix import CommandError
from actorkalix.testkit import TestService
from examples.order_fulfilment.service import (
    Carrier,
    Fulfilment,
    Order,
    OrderFulfilment,
    Parcel,
    Payment,
    Shelf,
    service,
)

MINUTE = timedelta(minutes=1)
ORDER = Order({"pen": 12, "ink": 3}, 40)


def run(work: Callable[[TestService], Awaitable[None]]) -> None:
    async def go() -> None:
        async with TestService(service) as running:
            for product in ("pen", "ink"):
                await running.client.entity(Shelf, product).fill(100)
            await running.client.entity(Carrier, "north").open(7)
            await work(running)

    asyncio.run(go())


async def order(running: TestService) -> Fulfilment:
    return await running.client.workflow(OrderFulfilment, "o1").get()


async def free(running: TestService) -> list[int]:
    shelves = [running.client.entity(Shelf, product) for product in ("pen", "ink")]
    return [(await shelf.get()).free for shelf in shelves]


def test_an_order_is_reserved_paid_and_sent() -> None:
    async def work(running: TestService) -> None:
        await running.client.workflow(OrderFulfilment, "o1").start(ORDER)
        await running.advance(MINUTE)
        assert (await order(running)).status == "reserved"
        assert await free(running) == [88, 97]
        await running.client.workflow(Payment, "o1").resolve("bank", True)
        await running.advance(MINUTE)
        assert await order(running) == Fulfilment(ORDER, "done", "north: 14")
        parcel = running.client.workflow(Parcel, "o1-2")
        assert await parcel.send("x") == "sent"

    run(work)


@pytest.mark.parametrize(
    "wrong",
    [
        Order({}, 40),
        Order({"pen": 0}, 40),
        Order({"pen": -3}, 40),
        Order({"": 1}, 40),
        Order({"pen": 1}, 0),
        Order({"pen": 1}, 40, ()),
        Order({"pen": 1}, 40, ("north", "")),
    ],
)
def test_an_order_that_no_attempt_could_mend_is_refused_at_once(wrong: Order) -> None:
    async def work(running: TestService) -> None:
        with pytest.raises(CommandError):
            await running.client.workflow(OrderFulfilment, "o1").start(wrong)
        assert await free(running) == [100, 100]

    run(work)


def test_the_bank_says_no_and_what_was_reserved_is_free_again() -> None:
    async def work(running: TestService) -> None:
        await running.client.workflow(OrderFulfilment, "o1").start(ORDER)
        await running.advance(MINUTE)
        await running.client.workflow(Payment, "o1").resolve("bank", False)
        await running.advance(10 * MINUTE)
        assert (await order(running)).status == "cancelled"
        assert await free(running) == [100, 100]

    run(work)


def test_one_shelf_is_sold_out_and_the_other_gets_its_things_back() -> None:
    async def work(running: TestService) -> None:
        much = Order({"pen": 12, "ink": 300}, 40)
        await running.client.workflow(OrderFulfilment, "o1").start(much)
        await running.advance(MINUTE)
        assert (await order(running)).status == "cancelled"
        assert await free(running) == [100, 100]

    run(work)


def test_no_carrier_answers_until_one_opens() -> None:
    async def work(running: TestService) -> None:
        far = Order({"pen": 1}, 3, ("south",))
        await running.client.workflow(OrderFulfilment, "o1").start(far)
        await running.advance(MINUTE)
        await running.client.workflow(Payment, "o1").resolve("bank", True)
        await running.advance(MINUTE)
        assert (await order(running)).status == "paid"
        await running.client.entity(Carrier, "south").open(3)
        await running.advance(MINUTE)
        assert (await order(running)).carrier == "south: 3"

    run(work)


def test_children_end_with_their_parent() -> None:
    async def work(running: TestService) -> None:
        await running.client.workflow(OrderFulfilment, "o1").start(ORDER)
        await running.advance(MINUTE)
        parent = running.client.workflow(OrderFulfilment, "o1")
        assert await parent.terminate("changed my mind") == "terminated"
        await running.advance(MINUTE)
        assert await running.client.workflow(Payment, "o1").terminate() == "terminated"

    run(work)
