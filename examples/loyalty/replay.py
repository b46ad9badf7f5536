"""Sends a log of purchases to the loyalty service and reads back what its customers add up to.

A customer's purchases go one after the other, so they arrive in the log's order; 32 customers at a
time. Each purchase carries an idempotency key, so sending it again is always right: a host that is
killed meanwhile costs a wait.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Self, TypeVar

import httpx

from examples.loyalty.purchases import Purchase, Totals

CONNECTIONS = 32
PATIENCE_S = 60.0  # a killed host is back within seconds; one away for so long has stopped for good
PAUSE_S_MIN, PAUSE_S_MAX = 0.05, 2.0
TRY_AGAIN = frozenset({408, 429, 503, 504})

T = TypeVar("T")


class ReplayFailed(Exception):
    """The service refused a purchase, or stayed away for longer than our patience."""


class Shop:
    """One connection to the loyalty service; `async with` closes it.

    Args:
        http: a client whose base URL is the service's. One each: httpx's pool takes longer to share
            a connection among 32 than the service to answer.
        pause: waits that many seconds between two tries.
        now: seconds on a clock that only moves forward.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._pause = pause
        self._now = now

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._http.aclose()

    async def record(self, purchase: Purchase) -> None:
        """Has a purchase counted; it is durable when this returns."""
        await self._send(
            "POST",
            f"/customers/{purchase.customer_id}/purchases",
            headers={"Idempotency-Key": f"cdnow-line-{purchase.line}"},
            json={
                "line": purchase.line,
                "day": purchase.day.isoformat(),
                "cds": purchase.cds,
                "cents": purchase.cents,
            },
        )

    async def totals(self, customer_id: str) -> Totals:
        """What a customer's purchases add up to, by the service's account."""
        customer = (await self._send("GET", f"/customers/{customer_id}")).json()
        return Totals(
            customer["purchases"], customer["cds"], customer["cents"], customer["last_line"]
        )

    async def months(self, purchases: int) -> dict[str, tuple[int, int]]:
        """Number of purchases and cents of each month, by the view's account.

        A view follows the customers a moment later, so this waits until it has `purchases`.
        """
        until = self._now() + PATIENCE_S
        while True:
            months = (await self._send("GET", "/sales/by-month")).json()["months"]
            found = {one["month"]: (one["purchases"], one["cents"]) for one in months}
            if sum(number for number, _ in found.values()) >= purchases or self._now() >= until:
                return found
            await self._pause(PAUSE_S_MAX)

    async def _send(self, verb: str, path: str, **request: Any) -> httpx.Response:
        until, pause_s = self._now() + PATIENCE_S, PAUSE_S_MIN
        while True:
            try:
                response = await self._http.request(verb, path, **request)
            except httpx.TransportError as error:
                trouble = f"{type(error).__name__} {error}".strip()
            else:
                if response.is_success:
                    return response
                trouble = f"{response.status_code} {response.text}"
                if response.status_code not in TRY_AGAIN:
                    raise ReplayFailed(f"{verb} {path}: {trouble}")
            if self._now() >= until:
                raise ReplayFailed(f"{verb} {path}: still {trouble} after {PATIENCE_S:.0f} s")
            await self._pause(pause_s)
            pause_s = min(pause_s * 2, PAUSE_S_MAX)


async def send_all(
    connect: Callable[[], Shop],
    customers: Mapping[str, list[Purchase]],
    advance: Callable[[], None],
) -> None:
    """Sends the purchases of all customers; calls `advance` after each purchase."""

    async def send(shop: Shop, purchases: list[Purchase]) -> None:
        for purchase in purchases:
            await shop.record(purchase)
            advance()

    await _spread(connect, customers.values(), send)


async def read_all(
    connect: Callable[[], Shop], customer_ids: Iterable[str], advance: Callable[[], None]
) -> dict[str, Totals]:
    """What each customer adds up to in the service; calls `advance` after each customer."""
    found: dict[str, Totals] = {}

    async def read(shop: Shop, customer_id: str) -> None:
        found[customer_id] = await shop.totals(customer_id)
        advance()

    await _spread(connect, customer_ids, read)
    return found


async def _spread(
    connect: Callable[[], Shop], items: Iterable[T], work: Callable[[Shop, T], Awaitable[None]]
) -> None:
    waiting = iter(items)

    async def worker() -> None:
        async with connect() as shop:
            for item in waiting:
                await work(shop, item)

    async with asyncio.TaskGroup() as workers:
        for _ in range(CONNECTIONS):
            workers.create_task(worker())
