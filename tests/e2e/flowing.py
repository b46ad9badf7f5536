"""Drives the flow of `flow_service`, and says when all of it has arrived."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx

WRITERS = 12
AGAIN_S = 2.0
"""Until a broker has brought again what it brings twice: how far behind it is, it says seldom."""


class Flow:
    """Numbers the origins, each step under a key, so that it counts once whatever is sent again.

    Args:
        url: of the service.
        admin: of its admin port.
        origins: how many.
        events: of each origin.
    """

    def __init__(self, url: str, admin: str, origins: int, events: int) -> None:
        self._url = url
        self._admin = admin
        self._origins = origins
        self._events = events
        self._changed = asyncio.Condition()
        self.done = 0

    async def run(self) -> None:
        """Bring all origins to their last number."""
        origins = [f"o{number}" for number in range(self._origins)]
        parts = [origins[at::WRITERS] for at in range(WRITERS)]
        await asyncio.gather(*(self._write(part) for part in parts))

    async def _write(self, origins: list[str]) -> None:
        async with httpx.AsyncClient(base_url=self._url, timeout=30) as client:
            for step in range(1, self._events + 1):
                for origin in origins:
                    key = {"idempotency-key": f"step-{step}"}
                    await until(partial(_number, client, origin, key), lambda status: status == 200)
                    async with self._changed:
                        self.done += 1
                        self._changed.notify_all()

    async def wait_for(self, done: int) -> None:
        """Return when so many steps were acknowledged."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.done >= done)

    async def arrived(self, wait_s: float) -> None:
        """Return when every mirror and tally has what its origin has had, and nothing else."""
        wanted, events = list(range(1, self._events + 1)), self._events
        async with (
            httpx.AsyncClient(base_url=self._url, timeout=30) as client,
            asyncio.timeout(wait_s),
        ):
            for number in range(self._origins):
                mirror, tally = f"/mirror/o{number}/get", f"/tally/o{number}/get"
                await until(partial(_got, client, mirror), lambda got: len(got or ()) >= events)
                await until(partial(_got, client, tally), lambda got: (got or 0) >= events)
            await self._rest(client)  # for what would come too often
            for number in range(self._origins):
                assert await _got(client, f"/mirror/o{number}/get") == wanted
                assert await _got(client, f"/tally/o{number}/get") == events

    async def _rest(self, client: httpx.AsyncClient) -> None:
        """Return when no consumer has anything left to hand on."""
        consumers = f"{self._admin}/admin/consumers"
        await until(partial(_got, client, consumers), _nothing_is_left)
        if any(one["consumer"].startswith("~from:") for one in await _got(client, consumers)):
            await asyncio.sleep(AGAIN_S)
            await until(partial(_got, client, consumers), _nothing_is_left)


def _nothing_is_left(consumers: list[dict[str, Any]] | None) -> bool:
    """Of our own logs, that is."""
    own = [one for one in consumers or () if not one["consumer"].startswith("~from:")]
    return bool(own) and not any(one["behind"] or one["waiting"] for one in own)


async def _number(client: httpx.AsyncClient, origin: str, key: dict[str, str]) -> int:
    try:
        answer = await client.post(f"/origin/{origin}/number", headers=key)
    except httpx.TransportError:
        return 0
    assert answer.status_code in (200, 503, 504), answer.text
    return answer.status_code


async def until(ask: Callable[[], Awaitable[Any]], enough: Callable[[Any], bool]) -> None:
    """Ask again until it is enough; hosts come and go, and what is passed on takes its time."""
    while True:
        if enough(await ask()):
            return
        await asyncio.sleep(0.05)


async def _got(client: httpx.AsyncClient, path: str) -> Any:
    try:
        answer = await client.get(path)
    except httpx.TransportError:
        return None
    return answer.json() if answer.status_code == 200 else None
