"""The orders example: from a cart to its parcels, and back when nobody checks out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from actorkalix import CommandError
from actorkalix.testkit import TestService
from examples.orders.service import (
    RESERVED_FOR,
    Checkout,
    Order,
    Parcel,
    Shipment,
    ShoppingCart,
    service,
)


def run(case: Callable[[TestService], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with TestService(service) as running:
            await case(running)

    asyncio.run(whole())


async def checked_out(running: TestService, cart_id: str, pens: int) -> None:
    cart, checkout = running.client.entity(ShoppingCart, cart_id), running.client.action(Checkout)
    await cart.add("pen", pens)
    await checkout.reserve(cart_id)
    await checkout.check_out(cart_id)


def test_a_cart_that_is_checked_out_becomes_parcels() -> None:
    async def case(running: TestService) -> None:
        await checked_out(running, "c1", 7)
        await running.advance(timedelta(seconds=1))
        order = await running.topic("orders").expect()
        assert order.value(Order) == Order("c1", {"pen": 7})
        assert order.subject == "c1"
        assert await running.client.entity(Parcel, "c1").get() == Shipment("c1", 2)

    run(case)


def test_parcels_are_sent_once_whatever_is_killed() -> None:
    async def case(running: TestService) -> None:
        for number in range(5):
            await checked_out(running, f"c{number}", 5 * number + 1)
            await running.restart()
        await running.advance(timedelta(minutes=1))
        for number in range(5):
            parcel = await running.client.entity(Parcel, f"c{number}").get()
            assert parcel.parcels == number + 1

    run(case)


def test_what_is_reserved_for_too_long_is_given_back() -> None:
    async def case(running: TestService) -> None:
        cart = running.client.entity(ShoppingCart, "c1")
        await cart.add("pen")
        await running.client.action(Checkout).reserve("c1")
        await running.advance(RESERVED_FOR - timedelta(seconds=1))
        assert (await cart.get()).status == "reserved"
        await running.restart()
        await running.advance(timedelta(seconds=2))
        assert (await cart.get()).status == "open"
        with pytest.raises(CommandError, match="the cart is open, reserve it first"):
            await running.client.action(Checkout).check_out("c1")

    run(case)


def test_what_was_checked_out_stays_so() -> None:
    async def case(running: TestService) -> None:
        await checked_out(running, "c1", 1)
        await running.advance(2 * RESERVED_FOR)
        assert (await running.client.entity(ShoppingCart, "c1").get()).status == "checked out"
        with pytest.raises(CommandError, match="the cart is checked out"):
            await running.client.entity(ShoppingCart, "c1").add("pen")

    run(case)
