"""A storm of activations: what those who are in memory feel of it, and what memory it takes.

Some entities are asked all the time; meanwhile thousands of callers ask for entities that are on
disk alone, each for another one, until all have been asked. Half as many may be in memory as the
storm brings, so they leave it again as fast as they come. What is refused because of load is asked
again, as the refusal says.
"""

from __future__ import annotations

import asyncio
import dataclasses
import multiprocessing
import random
import statistics
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from time import perf_counter

import msgspec
import uvloop

from actorkalix.ports import Ask
from actorkalix_cluster.shardhost.messages import Message

from . import in_process
from .load import Load, load_of
from .memory import own_bytes
from .rows import Row, Setting, at_most, ratio_of
from .stock import stocked, store_of

WARM = 64  # entities that are asked all the time, so that they stay
BURST = 4_096  # cold commands in flight at a time
LOOK_S = 0.02
REFUSED = "AK3001"
BYTES_MAX = 4_000  # of an entity that is there or on its way, with its command
BASE_BYTES = 32_000_000


class Storm(msgspec.Struct, frozen=True):
    """A round: warm commands without a storm and in it, the storm itself, bytes at its peak."""

    calm: Load
    warm: Load
    cold: Load
    peak_bytes: int


def activation_storm(setting: Setting) -> list[Row]:
    """p99 of warm entities while cold ones are activated in a burst, beside p99 before."""
    folder = store_of(stocked(setting.scratch, WARM + setting.storm))
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh, max_tasks_per_child=1) as processes:
        rounds = [processes.submit(_round, folder, setting).result() for _ in range(setting.rounds)]
    calm_ms = [taken.calm.p99_ms for taken in rounds]
    warm_ms = [taken.warm.p99_ms for taken in rounds]
    rate = statistics.median(taken.cold.rate for taken in rounds)
    bounded = _entities_max(setting) + min(BURST, setting.storm)
    return [
        Row(
            what=f"warm commands while {setting.storm:,} cold ones are activated, {rate:,.0f}/s",
            beside="without them",
            durable=True,
            connections=setting.connections,
            percentile="p99",
            unit="ms",
            value=statistics.median(warm_ms),
            other=statistics.median(calm_ms),
            ratio=ratio_of(warm_ms, calm_ms),
            targets=(at_most(3, "ratio"),),
        ),
        Row(
            what=f"memory at the peak of it, {_entities_max(setting):,} may stay",
            unit="MB",
            value=statistics.median(taken.peak_bytes for taken in rounds) / 1e6,
            targets=(at_most((BASE_BYTES + bounded * BYTES_MAX) / 1e6),),
        ),
    ]


def _entities_max(setting: Setting) -> int:
    return WARM + setting.storm // 2


def _round(folder: Path, setting: Setting) -> Storm:
    return uvloop.run(_measure(folder, setting))


async def _measure(folder: Path, setting: Setting) -> Storm:
    limits = dataclasses.replace(in_process.LIMITS, entities_max=_entities_max(setting))
    async with in_process.serving(folder, limits=limits) as router:
        make = in_process.drawn(WARM)
        warm_ones = (in_process.command(number) for number in range(WARM))
        await in_process.each_once(router, setting.connections, warm_ones)
        calm = await in_process.load(router, setting.connections, setting.seconds, make)
        numbers = [*range(WARM, WARM + setting.storm)]
        random.Random(1).shuffle(numbers)
        before = own_bytes()
        over = asyncio.Event()
        beside = asyncio.create_task(_until(router, setting.connections, over, make))
        memory = asyncio.create_task(_peak(over))
        cold = await _burst(router, numbers)
        over.set()
        return Storm(calm, await beside, cold, await memory - before)


async def _until(ask: Ask, callers: int, over: asyncio.Event, make: Callable[[], Message]) -> Load:
    """So many callers ask, each one thing after the other, until it is over."""

    def left() -> Iterator[Message]:
        yield make()
        while not over.is_set():
            yield make()

    return await in_process.each_once(ask, callers, left())


async def _burst(ask: Ask, numbers: list[int]) -> Load:
    """Ask each once, as many at a time as a burst has, until it is not refused."""
    latencies: list[float] = []
    left = iter(numbers)

    async def call() -> None:
        for number in left:
            before = perf_counter()
            reply = await ask.ask(in_process.command(number))
            while reply.failure is not None and reply.failure.number == REFUSED:
                await asyncio.sleep(reply.failure.retry_after_ms / 1000)
                reply = await ask.ask(in_process.command(number))
            in_process.checked(reply)
            latencies.append(perf_counter() - before)

    started = perf_counter()
    await asyncio.gather(*(call() for _ in range(min(BURST, len(numbers)))))
    return load_of(BURST, latencies, perf_counter() - started)


async def _peak(over: asyncio.Event) -> int:
    """The most memory that is this process's alone, looked at now and then until it is over."""
    most = own_bytes()
    while not over.is_set():
        await asyncio.sleep(LOOK_S)
        most = max(most, own_bytes(collect=False))
    return most
