"""Writers that count what they attempted and what was acknowledged, and a barrier on it."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import Any

import httpx

BUSY = (502, 503, 504)


class Count:
    """What happened to every token.

    Attributes:
        attempted: entity -> tokens that were sent at least once.
        acknowledged: entity -> tokens whose command was answered with 200.
        keyed: tokens that were sent under an idempotency key, over and over until they were
            answered.
        pairs: two tokens of one command each.
    """

    def __init__(self) -> None:
        self.attempted: dict[str, set[str]] = {}
        self.acknowledged: dict[str, set[str]] = {}
        self.keyed: set[str] = set()
        self.pairs: list[tuple[str, str]] = []
        self.acks = 0
        self._changed = asyncio.Condition()

    async def acked(self, entity: str, *tokens: str) -> None:
        """Count an answer."""
        self.acknowledged.setdefault(entity, set()).update(tokens)
        async with self._changed:
            self.acks += 1
            self._changed.notify_all()

    async def wait_for(self, acks: int) -> None:
        """Return when so many commands in all were acknowledged."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.acks >= acks)


class Writers:
    """Tasks that send commands to random entities until they are told to stop."""

    def __init__(self, url: str, count: Count, *, entities: int = 20, seed: int = 0) -> None:
        self._url = url
        self._count = count
        self._entities = [f"bag-{number}" for number in range(entities)]
        self._random = random.Random(seed)
        self._numbers = itertools.count()
        self._stopping = False

    async def run(self, writers: int) -> None:
        """Write until `stop`."""
        limits = httpx.Limits(max_connections=writers)
        async with httpx.AsyncClient(base_url=self._url, timeout=30, limits=limits) as client:
            await asyncio.gather(*(self._write(client) for _ in range(writers)))

    def stop(self) -> None:
        """Let the writers end after what they are at."""
        self._stopping = True

    async def _write(self, client: httpx.AsyncClient) -> None:
        while not self._stopping:
            entity = self._random.choice(self._entities)
            token = f"t{next(self._numbers)}"
            kind = self._random.random()
            if kind < 0.4:
                await self._once(client, entity, f"/bag/{entity}/take", {"token": token}, (token,))
            elif kind < 0.7:
                pair = (f"{token}a", f"{token}b")
                self._count.pairs.append(pair)
                body = {"first": pair[0], "second": pair[1]}
                await self._once(client, entity, f"/bags/{entity}/pairs", body, pair)
            else:
                await self._until_answered(client, entity, token)

    async def _once(
        self,
        client: httpx.AsyncClient,
        entity: str,
        path: str,
        body: dict[str, Any],
        tokens: tuple[str, ...],
    ) -> None:
        """Send without a key: whatever is not answered with 200 may or may not be stored."""
        self._count.attempted.setdefault(entity, set()).update(tokens)
        try:
            answer = await client.post(path, json=body)
        except httpx.TransportError:
            return
        if answer.status_code == 200:
            await self._count.acked(entity, *tokens)
        else:
            assert answer.status_code in BUSY, answer.text

    async def _until_answered(self, client: httpx.AsyncClient, entity: str, token: str) -> None:
        """Send under a key until it is answered: it must be stored once."""
        self._count.attempted.setdefault(entity, set()).add(token)
        self._count.keyed.add(token)
        while True:
            try:
                answer = await client.post(
                    f"/bag/{entity}/take", json={"token": token}, headers={"Idempotency-Key": token}
                )
            except httpx.TransportError:
                await asyncio.sleep(0.05)  # the host is away: do not spin
                continue
            if answer.status_code == 200:
                await self._count.acked(entity, token)
                return
            assert answer.status_code in BUSY, answer.text
            await asyncio.sleep(0.05)


async def stored_tokens(admin: str, entity: str) -> list[str]:
    """Every token of an entity in stored order, by sequence numbers from 1 without a gap."""
    tokens: list[str] = []
    async with httpx.AsyncClient(base_url=admin, timeout=30) as client:
        while True:
            answer = await client.get(
                f"/admin/events/bag/{entity}", params={"after": len(tokens), "limit": 1000}
            )
            answer.raise_for_status()
            page = [event for event in answer.json() if event["kind"] == "event"]
            if not page:
                return tokens
            for event in page:
                assert event["sequence_number"] == len(tokens) + 1
                tokens.append(event["payload"]["token"])


async def check(admin: str, count: Count) -> int:
    """Acknowledged is in stored is in attempted.

    Keyed tokens are there once, pairs whole. Gives the number stored.
    """
    everything: set[str] = set()
    total = 0
    for entity, attempted in count.attempted.items():
        stored = await stored_tokens(admin, entity)
        known = set(stored)
        lost = count.acknowledged.get(entity, set()) - known
        assert not lost, f"{entity}: acknowledged and not stored: {sorted(lost)[:5]}"
        assert known <= attempted, (
            f"{entity}: stored and never sent: {sorted(known - attempted)[:5]}"
        )
        assert len(stored) == len(known), f"{entity}: stored twice"
        everything |= known
        total += len(stored)
    for first, second in count.pairs:
        assert (first in everything) == (second in everything), f"half a command: {first}, {second}"
    return total
