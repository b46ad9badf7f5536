"""Views of consumers: JSON that a reader of another version can take, orders that are strict."""

from __future__ import annotations

import msgspec
import pytest

from actorkalix.consumer_views import ConsumerView, LetterOrder, ParkedView, RetryOrder


def test_views_travel_as_json() -> None:
    subject = ParkedView("cart", "c1", 5, 30, 2, 9, "no")
    view = ConsumerView("bill:cart", parked=1, subjects=(subject,))
    assert msgspec.json.decode(msgspec.json.encode(view), type=ConsumerView) == view


@pytest.mark.parametrize("order", [RetryOrder, LetterOrder])
def test_orders_know_all_their_fields(order: type[msgspec.Struct]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"consumer":"a","id":"b"}', type=order)
