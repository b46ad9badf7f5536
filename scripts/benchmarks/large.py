"""A large state that is written over and over: what others feel of it.

Callers ask counters all the time, in process; meanwhile one value entity gets a state of ten
megabytes ten times a second, each of which is on disk before its answer.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
from pathlib import Path
from time import perf_counter

import msgspec
import uvloop

from actorkalix.ports import Ask
from actorkalix_cluster.shardhost.messages import Message, MessageKind

from . import in_process
from .large_service import service
from .load import Load
from .rows import Row, Setting, at_least, at_most, ratio_of
from .serving import BODY

STATE_BYTES = 10_000_000
A_SECOND = 10
KEYS = 1_000


class Taken(msgspec.Struct, frozen=True):
    """A round: others alone and beside the large state; its writes a second, their median."""

    calm: Load
    beside: Load
    writes: float
    write_ms: float


def large_states(setting: Setting) -> list[Row]:
    """p99 of others while a large state is written, beside p99 before."""
    size = min(STATE_BYTES, setting.large)
    rounds = [uvloop.run(_measure(setting, size)) for _ in range(setting.rounds)]
    calm_ms = [taken.calm.p99_ms for taken in rounds]
    beside_ms = [taken.beside.p99_ms for taken in rounds]
    return [
        Row(
            what=f"command of others while {size / 1e6:g} MB are written {A_SECOND} times a second",
            beside="before",
            durable=True,
            payload_bytes=len(BODY),
            connections=setting.connections,
            percentile="p99",
            unit="ms",
            value=statistics.median(beside_ms),
            other=statistics.median(calm_ms),
            ratio=ratio_of(beside_ms, calm_ms),
            targets=(at_most(2, "ratio"),),
        ),
        Row(
            what=f"states of {size / 1e6:g} MB, meanwhile",
            durable=True,
            connections=1,
            unit="states/s",
            value=statistics.median(taken.writes for taken in rounds),
            targets=(at_least(0.9 * A_SECOND),),
        ),
    ]


async def _measure(setting: Setting, size: int) -> Taken:
    with tempfile.TemporaryDirectory() as folder:
        async with in_process.hosting(Path(folder), of=service) as (_, router):
            make = in_process.drawn(min(KEYS, setting.keys))
            await in_process.load(router, setting.connections, setting.seconds / 4, make)
            calm = await in_process.load(router, setting.connections, setting.seconds, make)
            over = asyncio.Event()
            writer = asyncio.create_task(_write(router, size, over))
            beside = await in_process.load(router, setting.connections, setting.seconds, make)
            over.set()
            took_s, seconds = await writer
    return Taken(calm, beside, len(took_s) / seconds, statistics.median(took_s) * 1e3)


async def _write(ask: Ask, size: int, over: asyncio.Event) -> tuple[list[float], float]:
    """Write the state at its rate until it is over: seconds of each, and of all."""
    message = Message(
        MessageKind.COMMAND, "board", "b", "write", json.dumps({"size": size}).encode()
    )
    took_s: list[float] = []
    started = perf_counter()
    while not (over.is_set() and took_s):
        before = perf_counter()
        in_process.checked(await ask.ask(message))
        took_s.append(perf_counter() - before)
        due = started + len(took_s) / A_SECOND
        await asyncio.sleep(max(due - perf_counter(), 0))
    return took_s, perf_counter() - started
