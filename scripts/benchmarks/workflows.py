"""Workflows in one process, on disk: how many end in a second, what a step takes, what rest costs.

They are started through a client over the dispatch, as actions start them; each is ended when a
command that waits behind its steps is answered, so everything counted is durable.

Recovery is measured on a store whose host was killed (SIGKILL) with every workflow in a step: from
the begin of opening it until each of these steps has run again and ended its workflow.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import signal
import statistics
import tempfile
from collections.abc import AsyncGenerator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from time import perf_counter

import uvloop

from actorkalix.limits import Limits
from actorkalix.model.client import Client
from actorkalix.runtime.actions import Surroundings
from actorkalix.runtime.composition import build_host, build_router
from actorkalix.runtime.dispatch import Dispatch
from actorkalix.runtime.in_process import HostTransport
from actorkalix.runtime.resources import Resources
from actorkalix.runtime.steps import run_steps
from actorkalix_cluster.placement import SHARDS_DEFAULT
from actorkalix_cluster.shardhost.clock import RealClock
from actorkalix_cluster.shardhost.collector import look_rarely
from actorkalix_cluster.shardhost.committer import ThreadCommitter
from actorkalix_storage.lmdbstore import open_store

from .dbos import STORES, dbos
from .flows import Rest, Three, service
from .load import Load, load_of
from .memory import own_bytes
from .rows import Row, Setting, at_least, at_most, rate_row

CALLERS = 64
STEPS = 3
DRAIN_S = 10.0
AT_ONCE, ONE_BY_ONE = 12.0, 4.0  # times the rate of DBOS, on either of its stores
CACHED = 1_000  # workflows that stay in memory where rest is measured
WARM = 2_000


@asynccontextmanager
async def hosting(folder: Path, *, connect: bool = True, cached: int = 0) -> AsyncGenerator[Client]:
    """A client of the service over a store; without `connect` no step runs."""
    clock = RealClock()
    look_rarely()
    limits = Limits(passivate_after=timedelta(hours=1), entities_max=10_000_000)
    if cached:
        limits = Limits(passivate_after=timedelta(seconds=1), entities_max=cached)
    store = open_store(folder, service=service.name)
    committer = ThreadCommitter(store)
    host = build_host(service.descriptor, store, clock=clock, committer=committer, limits=limits)
    await host.start()
    router = build_router({0: host}, shards=SHARDS_DEFAULT, clock=clock, limits=limits)
    dispatch = Dispatch(router, clock, limits)
    around = Surroundings(dispatch, clock, limits, Resources(service.name, None))
    run_steps(dispatch, service.descriptor, around)
    if connect:
        host.connect(dispatch)
    try:
        yield Client._over(HostTransport(dispatch, clock))
    finally:
        await host.drain(DRAIN_S)
        await host.stop()


async def _load(count: int, callers: int) -> Load:
    """Run so many workflows, each from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        async with hosting(Path(folder)) as client:
            latencies: list[float] = []
            numbers = iter(range(count))

            async def run() -> None:
                for number in numbers:
                    before = perf_counter()
                    flow = client.workflow(Three, f"f{number}")
                    await flow.start(number)
                    total = await flow.finished()
                    latencies.append(perf_counter() - before)
                    if total != 2 * number + 2:
                        raise RuntimeError(f"workflow {number} has ended with {total}")

            started = perf_counter()
            await asyncio.gather(*(run() for _ in range(callers)))
            return load_of(callers, latencies, perf_counter() - started)


def workflows(setting: Setting) -> list[Row]:
    """Workflows a second, many at a time and one after the other, beside DBOS; a step's time."""
    few = max(1, setting.workflows // 10)
    stores = dbos() if setting.peer_workflows else dict.fromkeys(STORES)
    peers = {name: one for name, one in stores.items() if one is not None}
    peer_few = max(1, setting.peer_workflows // 4)
    many: list[Load] = []
    alone: list[Load] = []
    theirs: dict[str, tuple[list[Load], list[Load]]] = {name: ([], []) for name in peers}
    for _ in range(setting.rounds):
        many.append(uvloop.run(_load(setting.workflows, CALLERS)))
        alone.append(uvloop.run(_load(few, 1)))
        for name, peer in peers.items():
            theirs[name][0].append(peer.load(setting.peer_workflows, CALLERS))
            theirs[name][1].append(peer.load(peer_few, 1))
    rows: list[Row] = []
    for name in stores:
        at_once, one_by_one = theirs.get(name, ([], []))
        whats = (f"three-step workflows, {CALLERS} at once", "three-step workflows, one by one")
        rows += [
            _beside(whats[0], name, many, at_once, AT_ONCE),
            _beside(whats[1], name, alone, one_by_one, ONE_BY_ONE),
        ]
    step = statistics.median(load.p50_ms for load in alone) / (STEPS + 1)
    return [
        *rows,
        Row(
            what="a step at idle",
            durable=True,
            connections=1,
            percentile="p50",
            unit="ms",
            value=step,
            targets=(at_most(2),),
        ),
    ]


def _beside(what: str, name: str, mine: list[Load], theirs: list[Load], factor: float) -> Row:
    if not theirs:
        return rate_row(what, mine, f"{name}: not installed", unit="workflows/s")
    wanted = (at_least(factor, "ratio"),)
    return rate_row(what, mine, name, theirs, targets=wanted, unit="workflows/s")


# ---- rest -------------------------------------------------------------------------------------
async def _resting(folder: Path, count: int) -> float:
    """Bytes of a paused workflow beyond those that are cached."""
    async with hosting(folder, cached=CACHED) as client:
        await _rest(client, 0, WARM)
        before = own_bytes()
        await _rest(client, WARM, WARM + count)
        gc.collect()
        return max(0.0, (own_bytes() - before) / count)


async def _rest(client: Client, first: int, last: int) -> None:
    numbers = iter(range(first, last))

    async def start() -> None:
        for number in numbers:
            await client.workflow(Rest, f"r{number}").start(number)

    await asyncio.gather(*(start() for _ in range(CALLERS)))
    await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=2.0)  # leave memory


def _resting_alone(count: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        return uvloop.run(_resting(Path(folder), count))


def workflow_memory(setting: Setting) -> list[Row]:
    """What a paused workflow costs that is in no cache, in a process that has just started."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh, max_tasks_per_child=1) as processes:
        taken = processes.submit(_resting_alone, setting.paused).result()
    return [
        Row(
            what=f"memory of a paused workflow beyond the cache, of {setting.paused:,}",
            unit="bytes",
            value=taken,
            targets=(at_most(500),),
        )
    ]


# ---- recovery ---------------------------------------------------------------------------------
async def _begin(folder: Path, count: int) -> None:
    """Start so many workflows, of which no step runs, and die."""
    async with hosting(folder, connect=False) as client:
        numbers = iter(range(count))

        async def start() -> None:
            for number in numbers:
                await client.workflow(Three, f"f{number}").start_last(number)

        await asyncio.gather(*(start() for _ in range(CALLERS)))
        os.kill(os.getpid(), signal.SIGKILL)


def _die(folder: str, count: int) -> None:
    uvloop.run(_begin(Path(folder), count))


async def _recover(folder: Path, count: int) -> float:
    """Seconds until all of them have ended."""
    started = perf_counter()
    async with hosting(folder) as client:
        numbers = iter(range(count))

        async def wait() -> None:
            for number in numbers:
                if await client.workflow(Three, f"f{number}").finished() != 2 * number + 2:
                    raise RuntimeError(f"workflow {number} has ended otherwise")

        await asyncio.gather(*(wait() for _ in range(CALLERS)))
        return perf_counter() - started


def workflow_recovery(setting: Setting) -> list[Row]:
    """Workflows that go on by themselves after their host was killed."""
    taken: list[float] = []
    for _ in range(min(setting.rounds, 3)):
        with tempfile.TemporaryDirectory() as folder:
            dying = multiprocessing.get_context("spawn").Process(
                target=_die, args=(folder, setting.running)
            )
            dying.start()
            dying.join()
            if dying.exitcode != -signal.SIGKILL:
                raise RuntimeError(f"it was to be killed and ended with {dying.exitcode}")
            taken.append(uvloop.run(_recover(Path(folder), setting.running)))
    return [
        Row(
            what=f"{setting.running:,} running workflows after kill -9, until each goes on",
            durable=True,
            unit="s",
            value=statistics.median(taken),
            targets=(at_most(10),),
        )
    ]
