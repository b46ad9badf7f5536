"""Clients of the ledgers: they write and read, and judge each answer by what they know."""

from __future__ import annotations

import asyncio
import collections
import itertools
import random
from typing import Any

import httpx

BACKOFF_S = 0.05  # when nobody answers: do not spin


class Clients:
    """Writers and readers of some ledgers, until they are told to stop.

    A reader that has an answer without a token which was acknowledged before it asked has been
    answered by somebody who did not own the ledger any more.

    Attributes:
        attempted, acknowledged: tokens by ledger.
        acks: how many were acknowledged.
        read: how many answers to queries were judged.
        outcomes: how often what was answered: status, number, outcome; or the transport's error.
        stale: what readers have found.
    """

    def __init__(self, url: str, *, ledgers: int = 16, seed: int = 0) -> None:
        self._url = url
        self._ledgers = [f"ledger-{number}" for number in range(ledgers)]
        self._random = random.Random(seed)
        self._numbers = itertools.count()
        self._stopping = False
        self._changed = asyncio.Condition()
        self.attempted: dict[str, set[str]] = {name: set() for name in self._ledgers}
        self.acknowledged: dict[str, set[str]] = {name: set() for name in self._ledgers}
        self.acks = 0
        self.read = 0
        self.outcomes: collections.Counter[tuple[Any, ...]] = collections.Counter()
        self.stale: list[str] = []

    async def run(self, writers: int, readers: int, *, requests: int = 0) -> None:
        """Write and read until `stop`, or until so many requests have been sent."""
        left = itertools.repeat(0) if not requests else iter(range(requests))
        await asyncio.gather(
            *(self._alone(self._write, left) for _ in range(writers)),
            *(self._alone(self._read, left) for _ in range(readers)),
        )

    async def _alone(self, work: Any, left: Any) -> None:
        """With a connection of its own: httpx's pool costs more than the requests."""
        async with httpx.AsyncClient(base_url=self._url, timeout=30) as client:
            await work(client, left)

    def stop(self) -> None:
        """Let them end after what they are at."""
        self._stopping = True

    async def wait_for(self, acks: int) -> None:
        """Return when so many writes in all were acknowledged."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.acks >= acks)

    async def _write(self, client: httpx.AsyncClient, left: Any) -> None:
        for _ in left:
            if self._stopping:
                return
            ledger, token = self._random.choice(self._ledgers), f"t{next(self._numbers)}"
            self.attempted[ledger].add(token)
            answer = await self._ask(client.post(f"/ledger/{ledger}/add", json={"token": token}))
            if answer is not None and answer.status_code == 200:
                self.acknowledged[ledger].add(token)
                async with self._changed:
                    self.acks += 1
                    self._changed.notify_all()

    async def _read(self, client: httpx.AsyncClient, left: Any) -> None:
        for _ in left:
            if self._stopping:
                return
            ledger = self._random.choice(self._ledgers)
            known = set(self.acknowledged[ledger])
            answer = await self._ask(client.get(f"/ledgers/{ledger}"))
            if answer is not None and answer.status_code == 200:
                missing = known - set(answer.json()["tokens"])
                self.read += 1
                if missing:
                    self.stale.append(f"{ledger}: acknowledged and not shown: {sorted(missing)}")

    async def _ask(self, request: Any) -> httpx.Response | None:
        try:
            answer: httpx.Response = await request
        except httpx.TransportError as error:
            self.outcomes[(type(error).__name__,)] += 1
            await asyncio.sleep(BACKOFF_S)
            return None
        if answer.status_code == 200:
            self.outcomes[(200,)] += 1
            return answer
        problem = answer.json()
        assert answer.status_code in (503, 504), problem
        self.outcomes[(answer.status_code, problem["number"], problem["outcome"])] += 1
        await asyncio.sleep(BACKOFF_S)
        return answer


async def judge(admin: str, clients: Clients) -> int:
    """Compare what is stored with what the clients know; gives the number stored.

    Acknowledged is in stored is in attempted, each token once, numbers without gaps, and every
    epoch of a shard has one writer.
    """
    writers: dict[tuple[int, int], set[int]] = {}
    total = 0
    async with httpx.AsyncClient(base_url=admin, timeout=30) as client:
        for ledger, attempted in clients.attempted.items():
            stored: list[str] = []
            for event in await _events(client, ledger):
                assert event["sequence_number"] == len(stored) + 1, (ledger, event)
                stored.append(event["payload"]["token"])
                place = (event["shard"], event["epoch"])
                writers.setdefault(place, set()).add(event["payload"]["pid"])
            known = set(stored)
            lost = clients.acknowledged[ledger] - known
            assert not lost, f"{ledger}: acknowledged and not stored: {sorted(lost)[:5]}"
            assert known <= attempted, f"{ledger}: stored and never sent"
            assert len(stored) == len(known), f"{ledger}: stored twice"
            total += len(stored)
    shared = {place: pids for place, pids in writers.items() if len(pids) > 1}
    assert not shared, f"epochs with more than one writer: {shared}"
    assert clients.stale == []
    return total


async def _events(client: httpx.AsyncClient, ledger: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    while True:
        answer = await client.get(
            f"/admin/events/ledger/{ledger}", params={"after": len(events), "limit": 1000}
        )
        answer.raise_for_status()
        page = [event for event in answer.json() if event["kind"] == "event"]
        if not page:
            return events
        events += page
