"""Group commit: callers in one process, from the router to the log, no HTTP, no Ray."""

from __future__ import annotations

import tempfile
from pathlib import Path

import uvloop

from actorkalix_cluster.shardhost.observer import SilentObserver

from . import in_process
from .load import Load
from .plain_ray import pipelined_calls, ray_here
from .rows import CommitPoint, Row, Setting, at_least, rate_row
from .serving import BODY

KEYS = 10_000
CALLERS = 256  # where the curve is flat


class _Counting(SilentObserver):
    """Counts commits."""

    def __init__(self) -> None:
        self.commits = 0

    def committed(self, appends: int, records: int, bytes_written: int, seconds: float) -> None:
        self.commits += 1


def _measure(callers: int, seconds: float, keys: int) -> tuple[Load, int]:
    """A load on a fresh store, and how many commits it took."""

    async def measure() -> tuple[Load, int]:
        with tempfile.TemporaryDirectory() as folder:
            observer = _Counting()
            async with in_process.serving(Path(folder), observer=observer) as router:
                taken = await in_process.load(router, callers, seconds, in_process.drawn(keys))
                return taken, observer.commits

    return uvloop.run(measure())


def group_commit(setting: Setting) -> list[CommitPoint]:
    """The curve: durable commands a second, and commits, by number of callers."""
    rounds: dict[int, list[tuple[Load, int]]] = {}
    for _ in range(setting.rounds):
        for callers in setting.clients:
            taken = _measure(callers, setting.seconds, KEYS)
            rounds.setdefault(callers, []).append(taken)
    points: list[CommitPoint] = []
    for callers, all_taken in rounds.items():
        ordered = sorted(all_taken, key=lambda taken: taken[0].rate)
        load, commits = ordered[len(ordered) // 2]
        commits_a_second = commits * load.rate / load.requests
        points.append(CommitPoint(callers, load.rate, commits_a_second, load.p50_ms, load.p99_ms))
    return points


def in_process_command(setting: Setting) -> list[Row]:
    """Durable commands, router to log, beside a Ray actor that adds in memory, pipelined."""
    ours: list[Load] = []
    plain: list[Load] = []
    with ray_here() as ray:
        for _ in range(setting.rounds):
            ours.append(_measure(CALLERS, setting.seconds, KEYS)[0])
            plain.append(pipelined_calls(ray, CALLERS, setting.seconds))
    return [
        rate_row(
            "durable command in process, router to log",
            ours,
            "the entity as a plain Ray actor, in memory, pipelined",
            plain,
            payload_bytes=len(BODY),
            targets=(at_least(40_000), at_least(15, "ratio")),
        )
    ]
