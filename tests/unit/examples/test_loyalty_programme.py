"""The loyalty example's tiers and statements, under virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from actorkalix import CommandError
from actorkalix.testkit import EntityTestKit, TestService
from examples.loyalty.service import (
    LoyalCustomer,
    Member,
    Membership,
    Statement,
    service,
    tier_of,
)

DAY = date(1997, 1, 1)
MONTH = timedelta(days=31)


def run(case: Callable[[TestService], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with TestService(service) as running:
            await case(running)

    asyncio.run(whole())


async def buy(running: TestService, name: str, line: int, cents: int) -> None:
    await running.client.entity(LoyalCustomer, name).record_purchase(line, DAY, 1, cents)
    await running.advance(timedelta(0))


@pytest.mark.parametrize(
    "cents, tier",
    [(0, "bronze"), (19_999, "bronze"), (20_000, "silver"), (49_999, "silver"), (50_000, "gold")],
)
def test_tiers(cents: int, tier: str) -> None:
    assert tier_of(cents) == tier


def test_a_tier_only_rises() -> None:
    kit = EntityTestKit(Membership, "c1")
    assert kit.call(Membership.rise, "gold", DAY).reply is True
    assert kit.call(Membership.rise, "silver", DAY).reply is False
    assert kit.call(Membership.get).reply == Member("gold", DAY)
    refused = kit.call(Membership.rise, "lead", DAY).error
    assert isinstance(refused, CommandError)
    assert "no tier 'lead', there are bronze, silver, gold" in str(refused)


def test_a_customer_rises_with_what_was_bought() -> None:
    async def case(running: TestService) -> None:
        membership = running.client.entity(Membership, "c1")
        await buy(running, "c1", 1, 15_000)
        assert await membership.get() == Member()
        await buy(running, "c1", 2, 6_000)
        assert await membership.get() == Member("silver", DAY)
        await buy(running, "c1", 2, 6_000)
        assert (await membership.get()).tier == "silver"
        await buy(running, "c1", 3, 40_000)
        assert (await membership.get()).tier == "gold"

    run(case)


def test_statements_come_on_the_first_of_each_month() -> None:
    async def case(running: TestService) -> None:
        statements = running.topic("statements")
        await buy(running, "c1", 1, 25_000)
        await buy(running, "c2", 2, 100)
        await running.advance(MONTH)
        (first,) = await statements.expect_many(1)
        assert first.value(Statement) == Statement("c1", "silver", 1, 25_000)
        assert first.metadata["ce-subject"] == "c1"
        at = datetime.fromtimestamp(first.time_ms / 1000, UTC)
        assert (at.day, at.hour, at.minute) == (1, 6, 0)
        await buy(running, "c1", 3, 25_000)
        await running.advance(2 * MONTH)
        later = [one.value(Statement) for one in await statements.clear()]
        assert len(later) == 2
        assert {one.tier for one in later} == {"gold"}

    run(case)


def test_statements_go_on_after_a_restart() -> None:
    async def case(running: TestService) -> None:
        await buy(running, "c1", 1, 60_000)
        await running.restart()
        await running.advance(MONTH)
        assert await running.topic("statements").expect(Statement) == Statement(
            "c1", "gold", 1, 60_000
        )

    run(case)
