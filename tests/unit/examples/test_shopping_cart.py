"""The cart of the documentation does what it says."""

from __future__ import annotations

from actorkalix.testkit import EntityTestKit
from examples.shopping_cart.service import CheckedOut, ItemAdded, LineItem, ShoppingCart

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
