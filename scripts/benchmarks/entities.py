"""What many entities on disk cost those who use a few: at the start, cold, and under load."""

from __future__ import annotations

import random
import statistics
from time import perf_counter

import uvloop

from . import in_process
from .load import Load, drawn, each_once, load
from .memory import own_bytes
from .rows import EntitiesPoint, Row, Setting, at_least, at_most, latency_row, rate_row, ratio_of
from .serving import BODY, command, service
from .stock import stocked, store_of


def _named(entities: int) -> str:
    return f"{entities:,} entities on disk"


def entities_start(setting: Setting) -> list[Row]:
    """From `actorkalix run` to the first answer, beside a folder in which nothing is."""
    folders = stocked(setting.scratch, setting.entities[-1]), stocked(setting.scratch, 0)
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(setting.rounds):
        for taken, folder in zip(seconds, folders, strict=True):
            started = perf_counter()
            with service(folder):
                taken.append(perf_counter() - started)
    return [
        Row(
            what=f"start to first answer, {_named(setting.entities[-1])}",
            beside="an empty folder",
            percentile="p50",
            unit="s",
            value=statistics.median(seconds[0]),
            other=statistics.median(seconds[1]),
            ratio=ratio_of(*seconds),
            targets=(at_most(1, "excess"),),
        )
    ]


def entities_cold(setting: Setting) -> list[Row]:
    """The first command of an entity since the start, over HTTP, and the second."""
    entities = setting.entities[-1]
    draw = random.Random()
    cold: list[Load] = []
    warm: list[Load] = []
    with service(stocked(setting.scratch, entities)) as port:
        numbers = draw.sample(range(entities), min(entities, setting.rounds * setting.cold))
        for begin in range(setting.rounds):
            requests = [command(number) for number in numbers[begin :: setting.rounds]]
            cold.append(each_once(port, 1, requests))
            warm.append(each_once(port, 1, requests))
    return [
        latency_row(
            f"cold first command over HTTP, {_named(entities)}",
            cold,
            "the same entities again, warm",
            warm,
            payload_bytes=len(BODY),
            targets=(at_most(3, "ratio"),),
        )
    ]


def entities_rate(setting: Setting) -> list[Row]:
    """Commands over HTTP to as many entities while few or many are on disk; then to any of many."""
    few, many = setting.entities[0], setting.entities[-1]
    used = min(setting.keys, few)
    draw = random.Random()
    of_few = [command(number) for number in range(used)]
    of_many = [command(number) for number in draw.sample(range(many), used)]
    with (
        service(stocked(setting.scratch, few)) as port_few,
        service(stocked(setting.scratch, many)) as port_many,
    ):
        each_once(port_few, setting.connections, of_few)
        each_once(port_many, setting.connections, of_many)
        loads = {
            "few": (port_few, drawn(of_few)),
            "many": (port_many, drawn(of_many)),
            "any": (port_many, lambda: command(draw.randrange(many))),
        }
        taken: dict[str, list[Load]] = {name: [] for name in loads}
        for _ in range(setting.rounds):
            for name, (port, make) in loads.items():
                taken[name].append(load(port, setting.connections, setting.seconds, make))
    return [
        rate_row(
            what,
            taken[name],
            f"{used:,} of {_named(few)}",
            taken["few"],
            payload_bytes=len(BODY),
            targets=(at_least(0.7, "ratio"),),
        )
        for what, name in (
            (f"{used:,} of {_named(many)}", "many"),
            (f"any of {_named(many)}, nearly all cold", "any"),
        )
    ]


def entities(setting: Setting) -> list[EntitiesPoint]:
    """The curve, in process: costs by number of entities on disk."""
    rounds: dict[int, list[EntitiesPoint]] = {count: [] for count in setting.entities}
    for _ in range(setting.rounds):
        for count, points in rounds.items():
            points.append(uvloop.run(_point(setting, count)))
    return [
        EntitiesPoint(
            count,
            statistics.median(point.open_ms for point in points),
            statistics.median(point.cold_ms for point in points),
            statistics.median(point.warm_ms for point in points),
            statistics.median(point.rate for point in points),
            statistics.median(point.bytes_each for point in points),
        )
        for count, points in rounds.items()
    ]


async def _point(setting: Setting, count: int) -> EntitiesPoint:
    folder = store_of(stocked(setting.scratch, count))
    draw = random.Random()
    numbers = draw.sample(range(count), min(setting.cold, count))
    messages = [in_process.command(number) for number in numbers]
    started = perf_counter()
    async with in_process.serving(folder) as router:
        open_ms = (perf_counter() - started) * 1000
        before = own_bytes()
        cold = await in_process.each_once(router, 1, messages)
        bytes_each = (own_bytes() - before) / len(messages)
        warm = await in_process.each_once(router, 1, messages)
        callers, seconds = setting.connections, setting.seconds
        taken = await in_process.load(router, callers, seconds, lambda: draw.choice(messages))
    return EntitiesPoint(count, open_ms, cold.p50_ms, warm.p50_ms, taken.rate, bytes_each)
