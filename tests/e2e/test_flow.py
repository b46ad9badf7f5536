"""Side effects and subscriptions while everything dies: nothing missing, in order, once.

`ACTORKALIX_FLOW_EVENTS` is the number of events that go through; 50,000 take some minutes.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.flowing import Flow
from tests.e2e.running import Running

SERVICE = f"{Path(__file__).parent / 'flow_service.py'}:service"
SEED = int(os.environ.get("ACTORKALIX_KILL_SEED", "20260102"))
TOTAL = int(os.environ.get("ACTORKALIX_FLOW_EVENTS", "4800"))
ORIGINS = 24 if TOTAL < 10_000 else 200
EVENTS = TOTAL // ORIGINS  # of each origin
HOST_KILLS = 4
WORKER_KILLS = 4
WAIT_S = 120 + TOTAL / 100


async def _kill(running: Running, serving: dict[str, Any], flow: Flow) -> None:
    """Kill hosts and workers of tasks at random moments, then the whole run in the middle."""
    rng = random.Random(SEED)
    pid = serving["pids"]["host"]
    total = ORIGINS * EVENTS
    for _ in range(HOST_KILLS):
        step = rng.randint(total // 48, total // 12)
        await flow.wait_for(min(total // 2, flow.done + step))
        os.kill(pid, signal.SIGKILL)
        pid = (await asyncio.to_thread(running.wait_for, "restarted"))["pid"]
    for _ in range(WORKER_KILLS):
        await flow.wait_for(min(total * 2 // 3, flow.done + rng.randint(100, total // 40)))
        worker = await _worker(running.url)
        assert worker != pid, "the reader runs in a task"
        os.kill(worker, signal.SIGKILL)
    await flow.wait_for(min(total * 3 // 4, flow.done + rng.randint(100, 400)))
    running.process.kill()
    await asyncio.to_thread(running.process.wait)
    await asyncio.to_thread(running.start)


async def _worker(url: str) -> int:
    """A process that runs tasks of the reader now."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        while True:
            answer = await client.post("/reader/pid")
            if answer.is_success:
                return int(answer.json())
            await asyncio.sleep(0.1)


@pytest.mark.timeout(280 + TOTAL / 40)
def test_what_happens_is_passed_on_in_order_and_once_whatever_dies(tmp_path: Path) -> None:
    print(f"ACTORKALIX_KILL_SEED={SEED}", file=sys.stderr)

    async def case(running: Running) -> None:
        serving = await asyncio.to_thread(running.start)
        flow = Flow(running.url, running.admin, ORIGINS, EVENTS)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(flow.run())
            tasks.create_task(_kill(running, serving, flow))
        await flow.arrived(WAIT_S)

    running = Running(tmp_path / "data", SERVICE, environment={"FLOW_RUNS": "task"})
    asyncio.run(case(running))
    assert running.stop() == 0
