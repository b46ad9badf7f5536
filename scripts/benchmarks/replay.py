"""An entity with many events: what snapshots leave of its recovery."""

from __future__ import annotations

import itertools
import json
import statistics
import tempfile
from pathlib import Path
from time import perf_counter

import uvloop

from . import in_process
from .rows import Row, Setting, at_most

CALLERS = 256  # of one entity; more would wait in its mailbox


def replayed(setting: Setting) -> list[Row]:
    """From the first question about it to the answer, after a start."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        uvloop.run(_make(folder, setting.events))
        taken = [uvloop.run(_first_answer(folder, setting.events)) for _ in range(setting.rounds)]
    return [
        Row(
            what=f"cold first answer of an entity of {setting.events:,} events, in process",
            connections=1,
            percentile="p50",
            unit="ms",
            value=statistics.median(taken),
            targets=(at_most(10),),
        )
    ]


async def _make(folder: Path, events: int) -> None:
    async with in_process.serving(folder) as router:
        messages = itertools.repeat(in_process.command(0), events)
        await in_process.each_once(router, CALLERS, messages)


async def _first_answer(folder: Path, events: int) -> float:
    async with in_process.serving(folder) as router:
        started = perf_counter()
        reply = in_process.checked(await router.ask(in_process.query(0)))
        took_ms = (perf_counter() - started) * 1000
    if json.loads(reply.payload) != events:
        raise RuntimeError(f"an entity of {events} events answered {reply.payload!r}")
    return took_ms
