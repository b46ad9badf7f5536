"""SIGKILL under load: acknowledged is in stored is in attempted, nothing half applied, no gaps."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.load import Count, Writers, check
from tests.e2e.running import Running

KILLS_A_RUN = 4  # five deaths of a host within a minute stop the service, as they should
RUNS = 5
SEED = int(os.environ.get("ACTORKALIX_KILL_SEED", "20260101"))


async def _until(count: Count, rng: random.Random) -> None:
    """A random moment: after some more acknowledged commands."""
    await count.wait_for(count.acks + rng.randint(20, 400))


async def _kill_hosts(
    running: Running, serving: dict[str, Any], count: Count, rng: random.Random
) -> None:
    pid = serving["pids"]["host"]
    for _ in range(KILLS_A_RUN):
        await _until(count, rng)
        os.kill(pid, signal.SIGKILL)
        restarted = await asyncio.to_thread(running.wait_for, "restarted")
        pid = restarted["pid"]


async def _load_through_kills(data: Path, rng: random.Random) -> tuple[Count, Running]:
    """Runs of the service, with kills of its host; each but the last ends by SIGKILL."""
    count = Count()
    running = Running(data)
    serving = await asyncio.to_thread(running.start)
    writers = Writers(running.url, count, seed=rng.randrange(1 << 30))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(writers.run(16))
        for run in range(RUNS):
            await _kill_hosts(running, serving, count, rng)
            await _until(count, rng)
            if run % 2:
                running.process.kill()
            else:
                for pid in serving[
                    "pids"
                ].values():  # run, raylet, gcs and the first host, all at once
                    _kill(pid)
            await asyncio.to_thread(running.process.wait)
            serving = await asyncio.to_thread(running.start)
        await _until(count, rng)
        writers.stop()
    return count, running


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # an earlier host, dead already


@pytest.mark.timeout(540)
def test_20_kills_of_hosts_and_5_of_everything_under_load(tmp_path: Path) -> None:
    print(f"ACTORKALIX_KILL_SEED={SEED}", file=sys.stderr)
    count, running = asyncio.run(_load_through_kills(tmp_path / "data", random.Random(SEED)))
    try:
        stored = asyncio.run(check(running.admin, count))
    finally:
        assert running.stop() == 0
    print(f"{count.acks} acknowledged, {stored} events stored", file=sys.stderr)
    assert count.acks > 20 * 20
    assert stored >= count.acks
