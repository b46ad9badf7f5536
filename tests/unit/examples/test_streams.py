"""The two services of `examples/streams`, each by itself."""

from __future__ import annotations

import asyncio

from actorkalix.testkit import TestService
from examples.streams import billing, shop


def test_the_shop_tells_what_is_paid_and_no_more() -> None:
    async def case() -> None:
        async with TestService(shop.service) as running:
            cart = running.client.entity(shop.ShoppingCart, "ada")
            await cart.add("pen", 300)
            sales = running.public_stream("sales")
            await sales.expect_none()
            await cart.pay("4111")
            message = await sales.expect()
            assert message.value(shop.Sale) == shop.Sale("ada", 300)
            assert message.subject == "ada"
            assert b"4111" not in message.data

    asyncio.run(case())


def test_billing_writes_an_invoice_for_each_sale() -> None:
    async def case() -> None:
        async with TestService(billing.service) as running:
            sales = running.other_stream("shop", "sales")
            await sales.publish(shop.Sale("ada", 300), subject="ada")
            await sales.publish(shop.Sale("bob", 500), subject="bob")
            await running.views_caught_up()
            invoice = await running.client.entity(billing.Invoices, "ada").get()
            assert invoice == billing.Invoice("ada", 300)
            best = await running.client.view(billing.Best).ten()
            assert [one.customer for one in best.customers] == ["bob", "ada"]

    asyncio.run(case())
