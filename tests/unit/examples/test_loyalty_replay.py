"""The replay keeps each customer's order, and sits out a host that is away."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Any

import httpx
import pytest

from examples.loyalty.purchases import Purchase, Totals, add_up, by_customer
from examples.loyalty.replay import PATIENCE_S, ReplayFailed, Shop, read_all, send_all

PURCHASES = [
    Purchase(line, f"c{line % 50:02}", date(1997, 1, 1), 1, line) for line in range(1, 401)
]


class Books:
    """What a shop that counts each line once would keep."""

    def __init__(self, trouble: Callable[[int], httpx.Response | Exception | None]) -> None:
        self.trouble = trouble
        self.requests = 0
        self.customers: dict[str, Totals] = {}
        self.keys: Counter[str] = Counter()

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        if isinstance(trouble := self.trouble(self.requests), Exception):
            raise trouble
        if trouble is not None:
            return trouble
        customer = request.url.path.split("/")[2]
        if request.method == "POST":
            self.count(customer, json.loads(request.content))
            self.keys[request.headers["Idempotency-Key"]] += 1
        totals = self.customers.get(customer, Totals())
        return httpx.Response(
            200,
            json={
                "purchases": totals.purchases,
                "cds": totals.cds,
                "cents": totals.cents,
                "last_line": totals.last_line,
            },
        )

    def count(self, customer: str, body: dict[str, Any]) -> None:
        totals = self.customers.get(customer, Totals())
        assert body["line"] > totals.last_line, "out of order"
        assert body["day"] == "1997-01-01"
        self.customers[customer] = Totals(
            totals.purchases + 1,
            totals.cds + body["cds"],
            totals.cents + body["cents"],
            body["line"],
        )


def replayed(books: Books) -> tuple[dict[str, Totals], list[float]]:
    """Sends all purchases to the books, reads them back; also the pauses made."""
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    async def run() -> dict[str, Totals]:
        def connect() -> Shop:
            transport = httpx.MockTransport(books.answer)
            http = httpx.AsyncClient(transport=transport, base_url="http://shop")
            return Shop(http, pause=pause, now=lambda: sum(pauses))

        customers = by_customer(PURCHASES)
        advanced: list[None] = []
        await send_all(connect, customers, lambda: advanced.append(None))
        assert len(advanced) == len(PURCHASES)
        return await read_all(connect, customers, lambda: None)

    return asyncio.run(run()), pauses


def expected() -> dict[str, Totals]:
    return {name: add_up(theirs) for name, theirs in by_customer(PURCHASES).items()}


def test_everything_arrives_in_order_under_a_key_of_its_own() -> None:
    books = Books(lambda number: None)
    found, pauses = replayed(books)
    assert found == expected()
    assert pauses == []
    assert set(books.keys.values()) == {1}
    assert len(books.keys) == len(PURCHASES)


def test_a_host_that_is_away_costs_a_wait_and_no_purchase() -> None:
    def trouble(number: int) -> httpx.Response | Exception | None:
        if number % 7 == 0:
            return httpx.Response(503, text="owner away")
        return httpx.ConnectError("refused") if number % 11 == 0 else None

    found, pauses = replayed(Books(trouble))
    assert found == expected()
    assert pauses


def test_a_refusal_ends_the_replay_and_names_the_reason() -> None:
    refusal = httpx.Response(400, text="lines are numbered from 1")
    with pytest.raises(ExceptionGroup) as caught:
        replayed(Books(lambda number: refusal))
    group = caught.value.subgroup(ReplayFailed)
    assert group is not None
    assert "numbered from 1" in str(group.exceptions[0])


def test_patience_ends() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        replayed(Books(lambda number: httpx.ConnectError("refused")))
    group = caught.value.subgroup(ReplayFailed)
    assert group is not None
    assert f"after {PATIENCE_S:.0f} s" in str(group.exceptions[0])


def test_the_view_is_waited_for() -> None:
    """It follows a moment later; one that never does is told as it is when patience ends."""
    asked: list[str] = []
    clock = [0.0]

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        months = [{"month": "1997-01", "purchases": min(len(asked), 3), "cents": 5}]
        return httpx.Response(200, json={"months": months})

    async def pause(seconds: float) -> None:
        clock[0] += seconds

    async def months(purchases: int) -> dict[str, tuple[int, int]]:
        http = httpx.AsyncClient(base_url="http://shop", transport=httpx.MockTransport(answer))
        async with Shop(http, pause=pause, now=lambda: clock[0]) as shop:
            return await shop.months(purchases)

    assert asyncio.run(months(3)) == {"1997-01": (3, 5)}
    assert asked == ["/sales/by-month"] * 3
    assert asyncio.run(months(4)) == {"1997-01": (3, 5)}
    assert clock[0] >= PATIENCE_S
