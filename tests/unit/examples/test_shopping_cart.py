"""The cart of the documentation does what it says."""

from __future__ import annotations

import asyncio

from actorkalix.testkit import EntityTestKit, TestService, ViewTestKit
from examples.shopping_cart.service import (
    CartRow,
    Carts,
    CheckedOut,
    ItemAdded,
    LineItem,
    ShoppingCart,
    service,
)

PEN = LineItem("p1", "pen", 2)


def test_items_are_added_as_events() -> None:
    kit = EntityTestKit(ShoppingCart, "c1")
    result = kit.call(ShoppingCart.add_item, PEN)
    assert result.events == [ItemAdded(PEN)]
    assert result.reply.items == (PEN,)
    assert result.reply.cart_id == "c1"


def test_a_quantity_below_one_is_refused_and_nothing_is_stored() -> None:
    kit = EntityTestKit(ShoppingCart)
    result = kit.call(ShoppingCart.add_item, LineItem("p1", "pen", 0))
    assert result.is_error
    assert result.events == []
    assert "got 0" in str(result.error)


def test_a_cart_that_is_checked_out_takes_no_items() -> None:
    kit = EntityTestKit(ShoppingCart)
    assert kit.call(ShoppingCart.checkout).events == [CheckedOut()]
    result = kit.call(ShoppingCart.add_item, PEN)
    assert result.error is not None
    assert result.error.code == "failed_precondition"
    assert kit.call(ShoppingCart.get_cart).reply.checked_out


def filled() -> ViewTestKit[Carts]:
    """45 carts that hold 1 to 45 pens, every third one is checked out."""
    kit = ViewTestKit(Carts)
    for number in range(1, 46):
        kit.event(ShoppingCart, f"c{number:02}", ItemAdded(LineItem("p1", "Red pen", number)))
        if number % 3 == 0:
            kit.event(ShoppingCart, f"c{number:02}", CheckedOut())
    return kit


def test_carts_are_listed_by_their_status_page_by_page() -> None:
    kit = filled()
    first = kit.query(Carts.by_status)
    second = kit.query(Carts.by_status, page=first.next_page)
    assert (first.total, len(first.carts), len(second.carts)) == (30, 20, 10)
    assert second.next_page == ""
    quantities = [cart.quantity for page in (first, second) for cart in page.carts]
    assert quantities == [number for number in range(45, 0, -1) if number % 3]
    assert kit.query(Carts.by_status, checked_out=True).total == 15


def test_a_page_goes_on_where_the_other_ended_whatever_happens_between() -> None:
    kit = filled()
    first = kit.query(Carts.by_status)
    kit.event(ShoppingCart, "new", ItemAdded(LineItem("p2", "ink", 100)))
    kit.event(ShoppingCart, first.carts[0].cart_id, CheckedOut())
    second = kit.query(Carts.by_status, page=first.next_page)
    assert second.carts[0].quantity < first.carts[-1].quantity
    assert len(second.carts) == 10


def test_carts_are_found_by_the_words_of_their_items() -> None:
    kit = ViewTestKit(Carts)
    kit.event(ShoppingCart, "c1", ItemAdded(PEN), ItemAdded(LineItem("p2", "Running Shoes", 1)))
    kit.event(ShoppingCart, "c2", ItemAdded(LineItem("p3", "shoe box", 1)))
    assert [cart.cart_id for cart in kit.query(Carts.search, "shoe").carts] == ["c1", "c2"]
    assert [cart.cart_id for cart in kit.query(Carts.search, "RUN pens").carts] == ["c1"]
    assert kit.query(Carts.search, "boots").carts == []


def test_the_list_follows_the_carts() -> None:
    async def main() -> None:
        async with TestService(service) as running:
            cart = running.client.entity(ShoppingCart, "c1")
            await cart.add_item(PEN)
            answer = await cart.checkout().reply()
            page = await running.client.view(Carts, after=answer.token).by_status(True)
            assert page.carts == [CartRow("c1", ("pen",), 2, checked_out=True)]

    asyncio.run(main())
