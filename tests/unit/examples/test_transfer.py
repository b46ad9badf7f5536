"""The transfers, as they run: money is neither lost nor made, whatever a transfer meets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from actorkalix import ActorkalixError, CommandError
from actorkalix.testkit import TestService
from examples.transfer.service import (
    Transfer,
    TransferOrder,
    Wallet,
    service,
)

MINUTE = timedelta(minutes=1)


def run(work: Callable[[TestService], Awaitable[None]]) -> None:
    async def go() -> None:
        async with TestService(service) as running:
            await running.client.entity(Wallet, "ann").deposit(5_000)
            await work(running)

    asyncio.run(go())


async def amounts(running: TestService) -> list[int]:
    wallets = [running.client.entity(Wallet, name) for name in ("ann", "bob")]
    return [(await wallet.get()).amount for wallet in wallets]


async def status(running: TestService, transfer_id: str) -> str:
    return (await running.client.workflow(Transfer, transfer_id).get()).status


def order(amount: int, target: str = "bob", source: str = "ann") -> TransferOrder:
    return TransferOrder(source, target, amount)


def test_money_moves() -> None:
    async def work(running: TestService) -> None:
        assert await running.client.workflow(Transfer, "t").start(order(10)) == "started"
        await running.advance(timedelta(0))
        assert await status(running, "t") == "done"
        assert await amounts(running) == [4_990, 10]

    run(work)


def test_no_funds_is_refused_and_a_closed_target_is_undone() -> None:
    async def work(running: TestService) -> None:
        await running.client.workflow(Transfer, "poor").start(order(10, "ann", "bob"))
        await running.client.entity(Wallet, "bob").close()
        await running.client.workflow(Transfer, "closed").start(order(10))
        await running.advance(MINUTE)
        assert await status(running, "poor") == "refused"
        assert await status(running, "closed") == "refunded"
        assert await amounts(running) == [5_000, 0]

    run(work)


@pytest.mark.parametrize("approved, ends", [(True, "done"), (False, "refused")])
def test_much_money_waits_for_approval(approved: bool, ends: str) -> None:
    async def work(running: TestService) -> None:
        transfer = running.client.workflow(Transfer, "t")
        assert await transfer.start(order(2_000)) == "waits for approval"
        await running.advance(timedelta(days=2))
        assert await amounts(running) == [5_000, 0]
        await transfer.resolve("approval", approved)
        await running.advance(MINUTE)
        assert await status(running, "t") == ends

    run(work)


def test_nobody_approves_for_three_days() -> None:
    async def work(running: TestService) -> None:
        transfer = running.client.workflow(Transfer, "t")
        await transfer.start(order(2_000))
        await running.restart()
        await running.advance(timedelta(days=3, minutes=1))
        assert await status(running, "t") == "refused"
        with pytest.raises(ActorkalixError):
            await transfer.resolve("approval", True)

    run(work)


def test_bad_approval_and_bad_orders_are_refused_and_nothing_moves() -> None:
    async def work(running: TestService) -> None:
        transfer = running.client.workflow(Transfer, "t")
        await transfer.start(order(2_000))
        with pytest.raises(ActorkalixError, match="expected bool"):
            await transfer.resolve("approval", "yes")
        for wrong in (order(0), order(10, "ann")):
            with pytest.raises(CommandError):
                await running.client.workflow(Transfer, "wrong").start(wrong)
        with pytest.raises(CommandError, match="another transfer has this id"):
            await transfer.start(order(1))
        assert await transfer.start(order(2_000)) == "waits for approval"

    run(work)


def test_money_is_conserved_across_kills() -> None:
    async def work(running: TestService) -> None:
        for number in range(20):
            transfer = running.client.workflow(Transfer, f"t{number}")
            await transfer.start(order(10, "bob" if number % 2 else "eve"))
            if number % 5 == 0:
                await running.restart()
        await running.client.entity(Wallet, "eve").close()
        await running.advance(10 * MINUTE)
        ends = [await status(running, f"t{number}") for number in range(20)]
        assert set(ends) <= {"done", "refunded"}
        eve = (await running.client.entity(Wallet, "eve").get()).amount
        assert sum(await amounts(running)) + eve == 5_000

    run(work)
