"""Named timers in one process: how many are started and fire in a second, and what waiting costs.

Waiting is measured where it is largest: timers that are due in hours, while nobody asks anything.
The figure is the share of one core that the whole process takes, beside the same without timers.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import msgspec
import uvloop

from actorkalix.engine.timer import START, KeptCall, Plan
from actorkalix_cluster.shardhost.fired import TIMER
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind
from actorkalix_cluster.shardhost.observer import Fired, SilentObserver

from . import in_process
from .load import Load
from .rows import Row, Setting, at_least, at_most, rate_row, ratio_of

CALLERS = 256
HOURS_MS = 10 * 3_600_000
ARGUMENTS = msgspec.msgpack.encode({"amount": 1})
IDLE_LEAST_S = 5.0  # a look comes every 10 minutes; what is there all the time shows in seconds


class _Counting(SilentObserver):
    """Counts calls that were answered well."""

    def __init__(self) -> None:
        self.fired = 0
        self.wanted = 0
        self.results: set[Fired] = set()
        self.reached = asyncio.Event()

    def timer_fired(self, result: Fired) -> None:
        self.fired += 1
        self.results.add(result)
        if self.fired == self.wanted:
            self.reached.set()


def start(number: int, after_ms: int, keys: int) -> Message:
    """Start a timer that calls one of so many counters."""
    call = KeptCall("counter", f"k{number % keys}", "add", ARGUMENTS)
    plan = msgspec.msgpack.encode(Plan(call, after_ms=after_ms))
    return Message(
        MessageKind.COMMAND, TIMER, f"t{number}", START, plan, Encoding.MSGPACK, Encoding.MSGPACK
    )


async def _round(count: int, keys: int) -> tuple[Load, float]:
    """Start so many, then let all of them fire: the load, and firings a second."""
    with tempfile.TemporaryDirectory() as folder:
        observer = _Counting()
        async with in_process.hosting(Path(folder), observer=observer) as (host, router):
            messages = (start(number, 1, keys) for number in range(count))
            started = await in_process.each_once(router, CALLERS, messages)
            observer.wanted = count
            begun = time.perf_counter()
            host.connect(router)
            await observer.reached.wait()
            if observer.results != {"ok"}:
                raise RuntimeError(f"calls of timers: {observer.results}")
            return started, count / (time.perf_counter() - begun)


async def _idle(count: int, keys: int, seconds: float) -> float:
    """Percent of a core that a process with so many waiting timers takes."""
    with tempfile.TemporaryDirectory() as folder:
        async with in_process.hosting(Path(folder)) as (host, router):
            host.connect(router)
            messages = (start(number, HOURS_MS, keys) for number in range(count))
            if count:
                await in_process.each_once(router, CALLERS, messages)
            await _pass(seconds)  # the store's own work after a burst
        async with in_process.hosting(Path(folder)) as (host, router):
            host.connect(router)
            await _pass(seconds / 5)
            used, begun = time.process_time(), time.perf_counter()
            await _pass(seconds)
            return 100 * (time.process_time() - used) / (time.perf_counter() - begun)


async def _pass(seconds: float) -> None:
    """Let time go by."""
    await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=seconds)


def timers(setting: Setting) -> list[Row]:
    """Starts, firings, and what waiting costs."""
    taken = [uvloop.run(_round(setting.timers, setting.keys)) for _ in range(setting.rounds)]
    seconds = IDLE_LEAST_S if setting.seconds > 1 else setting.seconds
    waiting = [uvloop.run(_idle(setting.waiting, setting.keys, seconds))]
    without = [uvloop.run(_idle(0, setting.keys, seconds))]
    return [
        rate_row(
            "timers started, in process",
            [load for load, _ in taken],
            targets=(at_least(2_000),),
            payload_bytes=len(ARGUMENTS),
            unit="timers/s",
        ),
        Row(
            what=f"timers that fire, {setting.timers:,} due at once",
            durable=True,
            unit="calls/s",
            value=statistics.median(rate for _, rate in taken),
            targets=(at_least(10_000),),
        ),
        Row(
            what=f"{setting.waiting:,} timers that wait, share of a core",
            beside="no timer",
            unit="%",
            value=waiting[0],
            other=without[0],
            ratio=ratio_of(waiting, [max(each, 0.01) for each in without]),
            targets=(at_most(1),),
        ),
    ]
