"""Streams between services on one Ray cluster, while both sides die: exact, in order, visible."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from functools import partial
from operator import eq
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.flowing import Flow, until
from tests.e2e.running import Running
from tests.ray.foreign import Foreign
from tests.ray.test_address import foreign

__all__ = ["foreign"]

pytestmark = pytest.mark.timeout(500)

SERVICES = Path(__file__).parents[1] / "e2e" / "stream_services.py"
ORIGINS, EVENTS = 12, 60
CONSUMER = "~from:origins/numbers"
WAIT_S = 120


class Cluster:
    """The services, each with a folder and ports of its own."""

    def __init__(self, folder: Path, address: str, environment: dict[str, str]) -> None:
        def running(name: str, *options: str) -> Running:
            return Running(
                folder / name,
                f"{SERVICES}:{name}",
                "--address",
                address,
                *options,
                environment=environment,
            )

        self.origins = running("origins", "--hosts", "2")
        self.mirrors = running("mirrors", "--hosts", "2")
        self.stranger = running("stranger")


@pytest.fixture
def cluster(tmp_path: Path, foreign: Foreign) -> Iterator[Cluster]:
    made = Cluster(tmp_path, foreign.address, foreign.environment)
    yield made
    for one in (made.origins, made.mirrors, made.stranger):
        process = getattr(one, "process", None)
        if process is not None and process.poll() is None:
            one.stop()


async def _consumers(running: Running) -> dict[str, dict[str, Any]]:
    async with httpx.AsyncClient(timeout=30) as client:
        answer = await client.get(f"{running.admin}/admin/consumers")
    return {one["consumer"]: one for one in answer.json()} if answer.is_success else {}


async def _failure(running: Running, consumer: str) -> str:
    failure: str = (await _consumers(running)).get(consumer, {}).get("failure", "")
    return failure


async def _get(running: Running, path: str) -> Any:
    async with httpx.AsyncClient(base_url=running.url, timeout=30) as client:
        try:
            answer = await client.get(path)
        except httpx.TransportError:
            return None
    return answer.json() if answer.is_success else None


def _begins(text: str, failure: str) -> bool:
    return failure.startswith(text)


def test_both_sides_die_and_nothing_is_missing(cluster: Cluster) -> None:
    origins, mirrors = cluster.origins, cluster.mirrors

    async def case() -> None:
        took = await asyncio.to_thread(mirrors.start)
        async with asyncio.timeout(WAIT_S):
            await until(lambda: _failure(mirrors, CONSUMER), lambda said: "AK3010" in said)
        gives = await asyncio.to_thread(origins.start)
        flow = Flow(origins.url, origins.admin, ORIGINS, EVENTS)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(flow.run())
            tasks.create_task(_disturb(cluster, flow, gives, took))
        wanted = list(range(1, EVENTS + 1))
        async with asyncio.timeout(WAIT_S):
            for number in range(ORIGINS):
                path = f"/mirror/o{number}/get"
                await until(partial(_get, mirrors, path), partial(eq, wanted))
            total = {"count": ORIGINS * EVENTS}
            await until(partial(_get, mirrors, "/counts/total"), partial(eq, total))
        found = (await _consumers(mirrors))[CONSUMER]
        assert found["source"] == "stream origins/numbers"
        assert (found["behind"], found["gaps"]) == (0, 0)

    asyncio.run(case())
    assert (origins.stop(), mirrors.stop()) == (0, 0)


async def _disturb(
    cluster: Cluster, flow: Flow, gives: dict[str, Any], took: dict[str, Any]
) -> None:
    """Kill hosts of both, the controller of one, and the other as a whole."""
    origins, mirrors, total = cluster.origins, cluster.mirrors, ORIGINS * EVENTS
    for part in (1, 2):
        await flow.wait_for(part * total // 6)
        for running, serving in ((origins, gives), (mirrors, took)):
            host = running.status()["hosts"][part - 1]["pid"]
            assert host != serving["pids"]["run"]
            os.kill(host, signal.SIGKILL)
        for running in (origins, mirrors):
            await asyncio.to_thread(running.wait_for, "restarted")
    await flow.wait_for(total // 2)
    os.kill(gives["pids"]["controller"], signal.SIGKILL)
    await flow.wait_for(total * 2 // 3)
    mirrors.process.kill()
    await asyncio.to_thread(mirrors.process.wait)
    await asyncio.to_thread(mirrors.start)


def test_what_is_not_there_is_said(cluster: Cluster) -> None:
    async def case() -> None:
        await asyncio.to_thread(cluster.stranger.start)
        await asyncio.to_thread(cluster.origins.start)
        said = {
            CONSUMER: "AK2021 origins offers the stream 'numbers' to mirr*, not to stranger",
            "~from:origins/nunbers": "AK2022 origins offers no stream 'nunbers'; "
            "did you mean numbers? there is numbers",
            "~from:orgins/numbers": "AK3010 no service 'orgins' runs on this Ray cluster; "
            "did you mean origins?",
        }
        async with asyncio.timeout(WAIT_S):
            for consumer, text in said.items():
                await until(partial(_failure, cluster.stranger, consumer), partial(_begins, text))

    asyncio.run(case())
