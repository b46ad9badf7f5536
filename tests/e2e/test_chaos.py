"""Every process killed and stopped at random, under load: one owner, nothing lost, nothing stale.

`ACTORKALIX_CHAOS_SEED` repeats the choices of a run; the moments are set by counts of acknowledged
writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clients import Clients, judge
from tests.e2e.running import Running

SEED = int(os.environ.get("ACTORKALIX_CHAOS_SEED", "20260302"))
LEDGERS = f"{Path(__file__).parent / 'ledger_service.py'}:service"
STORES = 2
RUNS = 4
LAST = ("run", "raylet", "gcs_server", "everything")
"""What is killed at the end of each run; none of them can be replaced."""
KILLS = ("host", "host", "host", "host", "controller", "controller", "standby")
STOPS = ("host", "host", "controller", "standby", "run", "raylet", "gcs_server")
STOPPED_S = 0.7  # far below the 5 s of silence after which a process is killed


class Chaos:
    """One service and what is done to its processes."""

    def __init__(self, running: Running, clients: Clients, rng: random.Random) -> None:
        self.running = running
        self.clients = clients
        self.rng = rng
        self.done = 0

    async def moment(self) -> None:
        """A random one: after some more acknowledged writes."""
        await self.clients.wait_for(self.clients.acks + self.rng.randint(10, 80))

    async def pid_of(self, role: str, serving: dict[str, Any]) -> int:
        """Of a process as it is now; waits until there is one."""
        if role in ("run", "raylet", "gcs_server"):
            return int(serving["pids"][role])
        while True:
            status = await asyncio.to_thread(self.running.status)
            if role != "host":
                pid = int(status[f"{role}_pid"])
            else:
                hosts = [each for each in status["hosts"] if each["state"] == "serving"]
                pid = self.rng.choice(hosts)["pid"] if hosts else 0
            if pid:
                return pid
            await asyncio.sleep(0.1)

    async def through(self, serving: dict[str, Any]) -> None:
        """Kill and stop, in random order, each time at a random moment."""
        acts = [(signal.SIGKILL, role) for role in KILLS]
        acts += [(signal.SIGSTOP, role) for role in STOPS]
        self.rng.shuffle(acts)
        for how, role in acts:
            await self.moment()
            pid = await self.pid_of(role, serving)
            print(f"{how.name} {role} {pid}", file=sys.stderr)
            with contextlib.suppress(ProcessLookupError):  # it has just been replaced
                os.kill(pid, how)
                if how is signal.SIGSTOP:
                    await asyncio.sleep(STOPPED_S)
                    os.kill(pid, signal.SIGCONT)
            self.done += 1

    async def long_stop(self, serving: dict[str, Any]) -> None:
        """A host stands still until it is killed for it; what it would have said is never said."""
        await self.moment()
        pid = await self.pid_of("host", serving)
        os.kill(pid, signal.SIGSTOP)
        died = await self._died(pid)
        assert "no sign of life" in died["reason"]
        with pytest.raises(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        self.done += 1

    async def _died(self, pid: int) -> dict[str, Any]:
        while True:
            event = await asyncio.to_thread(self.running.wait_for, "host_died")
            if event["pid"] == pid:
                return event

    async def end(self, what: str, serving: dict[str, Any]) -> None:
        """Kill what a run cannot do without."""
        await self.moment()
        print(f"SIGKILL {what}", file=sys.stderr)
        pids = serving["pids"]
        for pid in pids.values() if what == "everything" else [pids[what]]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        code = await asyncio.to_thread(self.running.process.wait, 60)
        assert code == (-9 if what in ("run", "everything") else 4), code
        self.done += 1


async def _play(data: Path, rng: random.Random) -> Chaos:
    running = Running(data, LEDGERS, "--hosts", str(STORES))
    serving = await asyncio.to_thread(running.start)
    clients = Clients(running.url, seed=rng.randrange(1 << 30))
    chaos = Chaos(running, clients, rng)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(clients.run(8, 4))
        for last in LAST[:RUNS]:
            await chaos.through(serving)
            await chaos.long_stop(serving)
            await chaos.end(last, serving)
            serving = await asyncio.to_thread(running.start)
        await chaos.moment()
        clients.stop()
    return chaos


@pytest.mark.timeout(900)
def test_60_kills_and_stops_of_every_process_under_load(tmp_path: Path) -> None:
    print(f"ACTORKALIX_CHAOS_SEED={SEED}", file=sys.stderr)
    chaos = asyncio.run(_play(tmp_path / "data", random.Random(SEED)))
    running, clients = chaos.running, chaos.clients
    try:
        stored = asyncio.run(judge(running.admin, clients))
    finally:
        assert running.stop() == 0
    print(f"{chaos.done} acts, {clients.acks} acknowledged, {clients.read} read, {stored} stored",
          dict(clients.outcomes), file=sys.stderr)  # fmt: skip
    assert chaos.done >= 60
    assert clients.acks > 1_000
    assert clients.read > 200
