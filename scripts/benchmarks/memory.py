"""Memory of live entities that do nothing."""

from __future__ import annotations

import asyncio
import gc
import itertools
import multiprocessing
import statistics
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import uvloop

from actorkalix_cluster.shardhost.messages import Message

from . import in_process
from .rows import Row, Setting, at_most
from .stock import stocked, store_of

WARM = 1_000  # entities before the first look: what is made once, and memory's first growth
CALLERS = 64


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
            value=statistics.median(taken),
            targets=(at_most(2_000),),
        )
    ]


def _bytes_each(folder: Path, idle: int) -> float:
    return uvloop.run(_measure(folder, idle))


async def _measure(folder: Path, idle: int) -> float:
    async with in_process.serving(folder) as router:
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
