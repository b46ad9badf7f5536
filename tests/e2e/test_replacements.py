"""Hosts replaced under load: gracefully without a failed request, by SIGKILL with honest ones."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.clients import Clients, judge
from tests.e2e.running import Running
from tests.e2e.test_chaos import LEDGERS

REQUESTS = 20_000
TIMES = 10
CONNECTIONS = 16
UNKNOWN = {"AK3101", "AK3102"}


async def _replaced(running: Running, clients: Clients) -> None:
    async with httpx.AsyncClient(base_url=running.admin, timeout=60) as admin:
        for time in range(TIMES):
            await clients.wait_for(clients.acks + 300)
            answer = await admin.post("/admin/replace", json={"store": time % 2})
            assert answer.status_code == 200, answer.text


async def _killed(running: Running, clients: Clients) -> None:
    """Three hosts in turn: a fifth death of one within a minute would fence its store."""
    for time in range(TIMES):
        await clients.wait_for(clients.acks + 300)
        status = await asyncio.to_thread(running.status)
        os.kill(status["hosts"][time % 3]["pid"], signal.SIGKILL)
        await asyncio.to_thread(running.wait_for, "restarted")


def _asked(
    data: Path, hosts: int, meanwhile: Callable[[Running, Clients], Coroutine[Any, Any, None]]
) -> Clients:
    """Clients after 20,000 requests, while something happens to the hosts; all was judged."""

    async def scenario(running: Running) -> Clients:
        clients = Clients(running.url, ledgers=64)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(meanwhile(running, clients))
            await clients.run(CONNECTIONS // 2, CONNECTIONS // 2, requests=REQUESTS)
        await judge(running.admin, clients)
        return clients

    with Running(data, LEDGERS, "--hosts", str(hosts)) as running:
        return asyncio.run(scenario(running))


@pytest.mark.timeout(300)
def test_20000_requests_through_10_replacements_and_none_fails(tmp_path: Path) -> None:
    clients = _asked(tmp_path / "data", 2, _replaced)
    assert dict(clients.outcomes) == {(200,): REQUESTS}


@pytest.mark.timeout(300)
def test_20000_requests_through_10_kills_and_only_those_in_flight_fail(tmp_path: Path) -> None:
    clients = _asked(tmp_path / "data", 3, _killed)
    failed = {what: count for what, count in clients.outcomes.items() if what != (200,)}
    print(failed, file=sys.stderr)
    assert sum(failed.values()) <= TIMES * CONNECTIONS, "what was not in flight has waited"
    for what in failed:
        assert len(what) == 1 or what[1] in UNKNOWN, "a host that died knows no outcome"
