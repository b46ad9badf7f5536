"""A customer counts each line of the log once, whatever arrives again."""

from __future__ import annotations

from datetime import date

import pytest

from actorkalix.testkit import EntityTestKit
from examples.loyalty.service import Customer, LoyalCustomer, Purchased

DAY = date(1997, 1, 18)


def test_purchases_add_up() -> None:
    kit = EntityTestKit(LoyalCustomer, "0001")
    kit.call(LoyalCustomer.record_purchase, 1, date(1997, 1, 1), 2, 2933)
    result = kit.call(LoyalCustomer.record_purchase, 2, DAY, 2, 2973)
    assert result.events == [Purchased(2, DAY, 2, 2973)]
    assert result.reply == Customer("0001", 2, 4, 5906, last_line=2, last_day=DAY)


@pytest.mark.parametrize("line", [4, 5])
def test_a_line_that_was_counted_is_answered_and_not_counted_again(line: int) -> None:
    kit = EntityTestKit(LoyalCustomer, "0001")
    before = kit.call(LoyalCustomer.record_purchase, 5, DAY, 2, 2933).reply
    again = kit.call(LoyalCustomer.record_purchase, line, DAY, 2, 2933)
    assert again.reply == before
    assert again.events == []


@pytest.mark.parametrize(
    "line,cds,cents,says",
    [(0, 1, 100, "numbered from 1"), (1, 0, 100, "at least one CD"), (1, 1, -1, "negative")],
)
def test_what_is_no_purchase_is_refused(line: int, cds: int, cents: int, says: str) -> None:
    kit = EntityTestKit(LoyalCustomer, "0001")
    result = kit.call(LoyalCustomer.record_purchase, line, DAY, cds, cents)
    assert says in str(result.error)
    assert result.events == []
    assert kit.call(LoyalCustomer.summary).reply == Customer("0001")


def test_a_gift_costs_nothing_and_counts() -> None:
    kit = EntityTestKit(LoyalCustomer, "0001")
    assert kit.call(LoyalCustomer.record_purchase, 1, DAY, 1, 0).reply.purchases == 1
