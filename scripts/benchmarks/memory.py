"""Memory of live entities that do nothing."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import itertools
import multiprocessing
import statistics
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import uvloop

from actorkalix.limits import Limits
from actorkalix_cluster.shardhost.messages import Message

from . import in_process
from .rows import Row, Setting, at_most
from .stock import stocked, store_of

WARM = 1_000  # entities before the first look: what is made once, and memory's first growth
CALLERS = 64
PASSIVATED_BYTES_MAX = 20  # none, but for what the allocator has not given back


def idle_memory(setting: Setting) -> list[Row]:
    """Bytes of an entity beyond its state, in a process that has just started each time.

    The state is the integer 1, which Python has once and for all: what is measured is beyond it.
    """
    folder = store_of(stocked(setting.scratch, WARM + setting.idle))
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh, max_tasks_per_child=1) as processes:
        taken = [
            processes.submit(_bytes_each, folder, setting.idle).result()
            for _ in range(setting.rounds)
        ]
    return [
        Row(
            what=f"memory of a live idle entity beyond its state, of {setting.idle:,}",
            unit="bytes",
            value=statistics.median(live for live, _ in taken),
            targets=(at_most(2_000),),
        ),
        Row(
            what="memory that one takes again when it and others had left and came back",
            unit="bytes",
            value=statistics.median(again for _, again in taken),
            targets=(at_most(PASSIVATED_BYTES_MAX),),
        ),
    ]


def _bytes_each(folder: Path, idle: int) -> tuple[float, float]:
    live = uvloop.run(_measure(folder, idle, in_process.LIMITS))
    few = dataclasses.replace(in_process.LIMITS, entities_max=WARM)
    uvloop.run(_measure(folder, idle, few))  # what the process has taken once is used again
    return live, uvloop.run(_measure(folder, idle, few))


async def _measure(folder: Path, idle: int, limits: Limits) -> float:
    """Bytes for each that was asked, of those who came after the first."""
    async with in_process.serving(folder, limits=limits) as router:
        queries = (in_process.query(number) for number in range(WARM + idle))

        async def ask(some: Iterable[Message]) -> None:
            for query in some:
                in_process.checked(await router.ask(query))

        await ask(itertools.islice(queries, WARM))
        before = own_bytes()
        await asyncio.gather(*(ask(queries) for _ in range(CALLERS)))
        return (own_bytes() - before) / idle


def own_bytes(*, collect: bool = True) -> int:
    """Memory that is this process's alone, without the pages of the store's file (proc(5)).

    Args:
        collect: garbage first.
    """
    if collect:
        gc.collect()
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no RssAnon")
