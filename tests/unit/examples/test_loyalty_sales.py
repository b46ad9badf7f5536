"""The loyalty example's view: its figures are those that the log itself adds up to."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from functools import cache

from actorkalix.testkit import TestService, ViewTestKit
from examples.loyalty.purchases import Purchase, by_customer, by_month, read_log
from examples.loyalty.service import (
    SALES,
    Buyer,
    Cohort,
    LoyalCustomer,
    Month,
    Purchased,
    Sale,
    Sales,
    month_of,
    service,
)


@cache
def log() -> list[Purchase]:
    return read_log()


def event_of(purchase: Purchase) -> Purchased:
    return Purchased(purchase.line, purchase.day, purchase.cds, purchase.cents)


def sale_of(purchase: Purchase) -> Sale:
    month = month_of(purchase.day)
    return Sale(purchase.customer_id, month, purchase.cds, purchase.cents)


@cache
def whole() -> ViewTestKit[Sales]:
    """The view, of the whole log."""
    kit = ViewTestKit(Sales)
    for purchase in log():
        kit.event(LoyalCustomer, purchase.customer_id, event_of(purchase))
        kit.message(SALES, str(purchase.line), sale_of(purchase))
    return kit


# ---- the same figures, from the log --------------------------------------------------------------
def months(purchases: Sequence[Purchase]) -> list[Month]:
    counts: dict[str, int] = defaultdict(int)
    cents: dict[str, int] = defaultdict(int)
    for one in purchases:
        counts[month_of(one.day)] += 1
        cents[month_of(one.day)] += one.cents
    return [Month(month, counts[month], cents[month]) for month in sorted(counts)]


def buyers(purchases: Sequence[Purchase]) -> list[Buyer]:
    found = [
        Buyer(name, month_of(bought[0].day), len(bought), sum(one.cents for one in bought))
        for name, bought in by_customer(purchases).items()
    ]
    return sorted(found, key=lambda one: (-one.cents, one.customer_id))


def cohorts(purchases: Sequence[Purchase]) -> list[Cohort]:
    customers: dict[tuple[str, str], set[str]] = defaultdict(set)
    cents: dict[tuple[str, str], int] = defaultdict(int)
    for name, bought in by_customer(purchases).items():
        for one in bought:
            cell = (month_of(bought[0].day), month_of(one.day))
            customers[cell].add(name)
            cents[cell] += one.cents
    return [Cohort(*cell, len(customers[cell]), cents[cell]) for cell in sorted(customers)]


# ---- tests ---------------------------------------------------------------------------------------
def test_revenue_by_month() -> None:
    found = whole().query(Sales.by_month).months
    assert found == months(log())
    assert {one.month: (one.purchases, one.cents) for one in found} == by_month(log())
    assert (len(found), sum(one.cents for one in found)) == (18, 24_409_194)


def test_best_customers() -> None:
    assert whole().query(Sales.best).customers == buyers(log())[:10]
    assert whole().query(Sales.best, most=100).customers == buyers(log())[:100]


def test_cohorts() -> None:
    found = whole().query(Sales.cohorts).cohorts
    assert found == cohorts(log())
    # The sample is of those who came in the first quarter of 1997.
    assert {one.cohort for one in found} == {"1997-01", "1997-02", "1997-03"}
    assert sum(one.customers for one in found if one.cohort == one.month) == 2_357


def test_purchases_reach_the_view_through_the_ledger() -> None:
    some = [one for name, bought in by_customer(log()).items() if name < "0031" for one in bought]

    async def main() -> None:
        async with TestService(service) as running:
            for one in some:
                customer = running.client.entity(LoyalCustomer, one.customer_id)
                await customer.record_purchase(one.line, one.day, one.cds, one.cents)
                await customer.record_purchase(one.line, one.day, one.cds, one.cents)
            await running.advance(timedelta(0))  # the ledger has published all
            await running.views_caught_up()
            sales = running.client.view(Sales)
            assert (await sales.by_month()).months == months(some)
            assert (await sales.best(5)).customers == buyers(some)[:5]
            assert (await sales.cohorts()).cohorts == cohorts(some)

    asyncio.run(main())
