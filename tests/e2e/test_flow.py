"""Side effects and subscriptions while everything dies: nothing missing, in order, once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.running import Running

SERVICE = f"{Path(__file__).parent / 'flow_service.py'}:service"
SEED = int(os.environ.get("ACTORKALIX_KILL_SEED", "20260102"))
ORIGINS = 24
EVENTS = 200  # of each origin
WRITERS = 12
HOST_KILLS = 4
WAIT_S = 120


class Flow:
    """Numbers the origins, each step under a key, so that it counts once whatever is sent again."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._changed = asyncio.Condition()
        self.done = 0

    async def run(self) -> None:
        """Bring all origins to their last number."""
        origins = [f"o{number}" for number in range(ORIGINS)]
        parts = [origins[at::WRITERS] for at in range(WRITERS)]
        await asyncio.gather(*(self._write(part) for part in parts))

    async def _write(self, origins: list[str]) -> None:
        async with httpx.AsyncClient(base_url=self._url, timeout=30) as client:
            for step in range(1, EVENTS + 1):
                for origin in origins:
                    key = {"idempotency-key": f"step-{step}"}
                    await _until(
                        partial(_number, client, origin, key), lambda status: status == 200
                    )
                    async with self._changed:
                        self.done += 1
                        self._changed.notify_all()

    async def wait_for(self, done: int) -> None:
        """Return when so many steps were acknowledged."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.done >= done)


async def _number(client: httpx.AsyncClient, origin: str, key: dict[str, str]) -> int:
    try:
        answer = await client.post(f"/origin/{origin}/number", headers=key)
    except httpx.TransportError:
        return 0
    assert answer.status_code in (200, 503, 504), answer.text
    return answer.status_code


async def _until(ask: Callable[[], Awaitable[Any]], enough: Callable[[Any], bool]) -> None:
    """Ask again until it is enough; hosts come and go, and what is passed on takes its time."""
    while True:
        if enough(await ask()):
            return
        await asyncio.sleep(0.05)


async def _kill(running: Running, serving: dict[str, Any], flow: Flow) -> None:
    """Kill hosts at random moments, then the whole run in the middle."""
    rng = random.Random(SEED)
    pid = serving["pids"]["host"]
    total = ORIGINS * EVENTS
    for _ in range(HOST_KILLS):
        await flow.wait_for(min(total // 2, flow.done + rng.randint(100, 400)))
        os.kill(pid, signal.SIGKILL)
        pid = (await asyncio.to_thread(running.wait_for, "restarted"))["pid"]
    await flow.wait_for(min(total * 3 // 4, flow.done + rng.randint(100, 400)))
    running.process.kill()
    await asyncio.to_thread(running.process.wait)
    await asyncio.to_thread(running.start)


async def _numbers(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(path)
    return answer.json() if answer.status_code == 200 else None


async def _arrived(url: str) -> None:
    """Return when every mirror and tally has what its origin has had, and nothing else."""
    wanted = list(range(1, EVENTS + 1))
    async with httpx.AsyncClient(base_url=url, timeout=30) as client, asyncio.timeout(WAIT_S):
        for number in range(ORIGINS):
            mirror, tally = f"/mirror/o{number}/get", f"/tally/o{number}/get"
            await _until(partial(_numbers, client, mirror), lambda got: len(got or ()) >= EVENTS)
            await _until(partial(_numbers, client, tally), lambda got: (got or 0) >= EVENTS)
        await asyncio.sleep(2)  # for what would come too often
        for number in range(ORIGINS):
            assert await _numbers(client, f"/mirror/o{number}/get") == wanted
            assert await _numbers(client, f"/tally/o{number}/get") == EVENTS


@pytest.mark.timeout(400)
def test_what_happens_is_passed_on_in_order_and_once_whatever_dies(tmp_path: Path) -> None:
    print(f"ACTORKALIX_KILL_SEED={SEED}", file=sys.stderr)

    async def case(running: Running) -> None:
        serving = await asyncio.to_thread(running.start)
        flow = Flow(running.url)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(flow.run())
            tasks.create_task(_kill(running, serving, flow))
        await _arrived(running.url)

    running = Running(tmp_path / "data", SERVICE)
    asyncio.run(case(running))
    assert running.stop() == 0
