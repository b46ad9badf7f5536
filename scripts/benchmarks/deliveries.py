"""Subscriptions and topics in one process: how many arrive in a second, and how late."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

import msgspec
import uvloop

from actorkalix.engine.topic import TopicMessage, publish_order
from actorkalix.runtime.actions import Surroundings, run_inline
from actorkalix.runtime.dispatch import Dispatch
from actorkalix.runtime.resources import Resources
from actorkalix_cluster.shardhost.clock import RealClock
from actorkalix_cluster.shardhost.host import ShardHost
from actorkalix_cluster.shardhost.messages import Message, MessageKind

from . import in_process
from .delivery_service import Follower, Reader, Taken, service
from .load import load_of
from .rows import Row, Setting, at_least, at_most

CALLERS = 256
PACE = 2_000  # events a second, for the lag
TICK_S = 0.01
ROUND_S_MAX = 60.0


@asynccontextmanager
async def _hosting(folder: Path) -> AsyncGenerator[tuple[ShardHost, Dispatch]]:
    """A host and what answers messages in it; consumers begin when they are connected."""
    clock, limits = RealClock(), in_process.LIMITS
    async with in_process.hosting(folder, of=service) as (host, router):
        dispatch = Dispatch(router, clock, limits)
        around = Surroundings(dispatch, clock, limits, Resources(service.name, None))
        run_inline(dispatch, service.descriptor, around)
        try:
            yield host, dispatch
        finally:
            await dispatch.aclose()


def _add(number: int, keys: int) -> Message:
    body = msgspec.json.encode({"amount": number})
    return Message(MessageKind.COMMAND, "counter", f"k{number % keys}", "add", body)


def _publish(number: int, keys: int) -> Message:
    data = msgspec.json.encode({"amount": number})
    subject = f"s{number % keys}"
    made = TopicMessage("Added", subject, f"m{number}", "bench", "application/json", (), data)
    return publish_order("numbers", made, in_process.LIMITS.topic_partitions)


# ---- subscriptions -------------------------------------------------------------------------------
async def _caught_up(count: int, keys: int) -> float:
    """Events a second that a batch handler takes which has so many to catch up with."""
    taken = Follower.taken = Taken()
    with tempfile.TemporaryDirectory() as folder:
        async with _hosting(Path(folder)) as (host, dispatch):
            made = (_add(number, keys) for number in range(count))
            await in_process.each_once(dispatch, CALLERS, made)
            begun = perf_counter()
            host.connect(dispatch)
            async with asyncio.timeout(ROUND_S_MAX):
                await taken.reach(count)
            return count / (perf_counter() - begun)


async def _lags(seconds: float, keys: int) -> list[float]:
    """Seconds from each reply of a command to its event in the handler, at a steady pace."""
    taken, answered = Taken(), dict[int, float]()
    Follower.taken = taken

    async def ask(dispatch: Dispatch, number: int) -> None:
        in_process.checked(await dispatch.ask(_add(number, keys)))
        answered[number] = perf_counter()

    with tempfile.TemporaryDirectory() as folder:
        async with _hosting(Path(folder)) as (host, dispatch):
            host.connect(dispatch)
            tick = asyncio.get_running_loop().create_future()
            while not host.caught_up:  # a start is not the question
                await asyncio.wait([tick], timeout=TICK_S)
            number, begun = 0, perf_counter()
            async with asyncio.TaskGroup() as group:
                while (passed := perf_counter() - begun) < seconds:
                    while number <= int(passed * PACE):
                        group.create_task(ask(dispatch, number))
                        number += 1
                    await asyncio.wait([tick], timeout=TICK_S)
            async with asyncio.timeout(ROUND_S_MAX):
                await taken.reach(number)
    return [max(0.0, taken.at[one] - at) for one, at in answered.items()]


def subscriptions(setting: Setting) -> list[Row]:
    """Events into a batch handler: how many, and how late at a pace."""
    rates = [uvloop.run(_caught_up(setting.timers, setting.keys)) for _ in range(setting.rounds)]
    taken = [uvloop.run(_lags(setting.seconds, setting.keys)) for _ in range(setting.rounds)]
    lags = [load_of(1, lag, setting.seconds) for lag in taken]
    return [
        Row(
            what=f"events into a batch handler, {setting.timers:,} to catch up with",
            durable=True,
            unit="events/s",
            value=statistics.median(rates),
            targets=(at_least(20_000),),
        ),
        Row(
            what=f"lag of a batch handler at {PACE:,} events/s",
            durable=True,
            percentile="p99",
            unit="ms",
            value=statistics.median(lag.p99_ms for lag in lags),
            targets=(at_most(100),),
        ),
    ]


# ---- topics --------------------------------------------------------------------------------------
async def _through(count: int, keys: int) -> tuple[float, float]:
    """Messages a second that are published while they are consumed, and until all are."""
    taken = Reader.taken = Taken()
    with tempfile.TemporaryDirectory() as folder:
        async with _hosting(Path(folder)) as (host, dispatch):
            host.connect(dispatch)
            made = (_publish(number, keys) for number in range(count))
            begun = perf_counter()
            published = await in_process.each_once(dispatch, CALLERS, made)
            async with asyncio.timeout(ROUND_S_MAX):
                await taken.reach(count)
            return published.rate, count / (perf_counter() - begun)


def topics(setting: Setting) -> list[Row]:
    """Messages through a topic: published, each with an id of its own, and consumed."""
    taken = [uvloop.run(_through(setting.timers, setting.keys)) for _ in range(setting.rounds)]
    whats = ("messages published to a topic while it is read", "messages through a topic")
    return [
        Row(
            what=what,
            durable=True,
            unit="messages/s",
            value=statistics.median(one[at] for one in taken),
            targets=(at_least(20_000),),
        )
        for at, what in enumerate(whats)
    ]
