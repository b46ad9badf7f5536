"""A topic at a broker outside, while hosts and the broker go away: nothing missing, in order, once.

The way is entity -> subscription -> broker -> subscription -> entity.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.flowing import Flow, until
from tests.e2e.outside import MockKafka, NatsServer
from tests.e2e.running import Running

SERVICE = f"{Path(__file__).parent / 'flow_service.py'}:service"
ORIGINS, EVENTS = 12, 60
AWAY_S = float(os.environ.get("ACTORKALIX_BROKER_AWAY_S", "6"))
WAIT_S = 150


async def _consumers(admin: str) -> dict[str, dict[str, Any]]:
    async with httpx.AsyncClient(timeout=30) as client:
        answer = await client.get(f"{admin}/admin/consumers")
    return {one["consumer"]: one for one in answer.json()} if answer.is_success else {}


async def _disturbed(
    running: Running, serving: dict[str, Any], away: Callable[[], None], back: Callable[[], None]
) -> None:
    """Numbers flow while a host is killed, and the broker is away for some seconds."""
    flow = Flow(running.url, running.admin, ORIGINS, EVENTS)
    total = ORIGINS * EVENTS

    async def disturb() -> None:
        await flow.wait_for(total // 5)
        os.kill(serving["pids"]["host"], signal.SIGKILL)
        await asyncio.to_thread(running.wait_for, "restarted")
        await flow.wait_for(total // 2)
        await asyncio.to_thread(away)
        await asyncio.sleep(AWAY_S)
        await asyncio.to_thread(back)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(flow.run())
        tasks.create_task(disturb())
    await flow.arrived(WAIT_S)


def _listed(running: Running, what: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "actorkalix", what, "--json", "--admin", running.admin]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found: list[dict[str, Any]] = json.loads(told.stdout)
    return found


@pytest.mark.timeout(300)
def test_kafka(tmp_path: Path) -> None:
    with MockKafka() as kafka:
        environment = {"FLOW_BROKER": f"kafka {kafka.servers}"}
        running = Running(tmp_path / "data", SERVICE, "--hosts", "2", environment=environment)

        async def case() -> None:
            serving = await asyncio.to_thread(running.start)
            await _disturbed(running, serving, kafka.away, kafka.back)

        asyncio.run(case())
        consumers = {one["consumer"]: one for one in _listed(running, "consumers")}
        assert consumers["~from:numbers"]["handled"] > 0
        assert consumers["~to:numbers"]["source"] == f"kafka {kafka.servers} numbers"
        (topic,) = _listed(running, "topics")
        assert topic["broker"] == f"kafka {kafka.servers}"
        assert sum(topic["partitions"]) == ORIGINS * EVENTS
        assert running.stop() == 0


@pytest.mark.timeout(300)
def test_nats_which_is_not_there_at_the_start(tmp_path: Path) -> None:
    nats = NatsServer(tmp_path / "nats")
    environment = {"FLOW_BROKER": f"nats {nats.servers}"}
    running = Running(tmp_path / "data", SERVICE, "--hosts", "2", environment=environment)

    async def is_away() -> bool:
        found = await _consumers(running.admin)
        return "no servers" in found.get("~from:numbers", {}).get("failure", "")

    async def case() -> None:
        serving = await asyncio.to_thread(running.start)
        async with asyncio.timeout(WAIT_S):
            await until(is_away, bool)
        await asyncio.to_thread(nats.start)
        await _disturbed(running, serving, nats.kill, nats.start)

    try:
        asyncio.run(case())
        assert running.stop() == 0
    finally:
        nats.kill()
