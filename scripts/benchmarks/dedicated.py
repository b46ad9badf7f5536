"""Where an entity runs: in its host, in a process of its own, and beside both a plain Ray actor.

Both kinds of entity are asked over HTTP and what they say is on disk; the plain actor is called by
this process and keeps nothing.
"""

from __future__ import annotations

import statistics
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from .load import Load, drawn, each_once, load, post
from .plain_ray import pipelined_calls, plain_counter, ray_here
from .rows import Row, Setting, latency_row, rate_row, ratio_of
from .serving import BODY, service

SERVICE = "dedicated_service.py"
STARTS_MAX = 5  # a round; each takes a second or two
KB = 1_024
FAR, NEAR, PLAIN = "entity in a process of its own", "entity in its host", "plain Ray actor"


def dedicated(setting: Setting) -> list[Row]:
    """Start, memory, latency and rate of one instance, for the three places."""
    with ray_here() as ray, service(file=SERVICE) as port:
        rows = _started(ray, port, setting)
        far, near, plain = _called(ray, port, setting, 1)
        rows += [
            _latency(f"{FAR}, one caller", far, NEAR, near),
            _latency(f"{FAR}, one caller", far, PLAIN, plain),
        ]
        far, near, plain = _called(ray, port, setting, setting.connections)
        rows += [
            rate_row(f"{FAR}, many callers", far, NEAR, near, payload_bytes=len(BODY)),
            rate_row(f"{FAR}, many callers", far, PLAIN, plain, payload_bytes=len(BODY)),
        ]
    return rows


def _latency(what: str, mine: list[Load], beside: str, others: list[Load]) -> Row:
    return latency_row(what, mine, beside, others, targets=(), payload_bytes=len(BODY))


def _started(ray: Any, port: int, setting: Setting) -> list[Row]:
    """First commands of instances, and what their processes hold."""
    far, near, plain = list[float](), list[float](), list[float]()
    memory, plain_memory = list[float](), list[float]()
    actors: list[Any] = []
    for number in range(min(setting.rounds, STARTS_MAX)):
        far.append(_ms(partial(_first, port, f"far/s{number}")))
        near.append(_ms(partial(_first, port, f"counter/s{number}")))
        plain.append(_ms(lambda: actors.append(plain_counter(ray))))
        memory.append(_unique_mb(int(_answer(port, f"far/s{number}/process"))))
        plain_memory.append(_unique_mb(ray.get(actors[-1].process.remote())))
        ray.kill(actors[-1])
    return [
        _row(f"{FAR}, first command", "ms", far, NEAR, near, durable=True),
        _row(f"{FAR}, first command", "ms", far, PLAIN, plain, durable=True),
        _row(f"{FAR}, memory of its own", "MB", memory, PLAIN, plain_memory),
    ]


def _row(
    what: str,
    unit: str,
    mine: list[float],
    beside: str,
    others: list[float],
    durable: bool | None = None,
) -> Row:
    return Row(
        what=what,
        beside=beside,
        durable=durable,
        unit=unit,
        value=statistics.median(mine),
        other=statistics.median(others),
        ratio=ratio_of(mine, others),
    )


def _called(
    ray: Any, port: int, setting: Setting, callers: int
) -> tuple[list[Load], list[Load], list[Load]]:
    """Loads on one instance of each, round by round in turn."""
    taken: tuple[list[Load], list[Load], list[Load]] = ([], [], [])
    for _ in range(setting.rounds):
        for loads, component in ((taken[0], "far"), (taken[1], "counter")):
            make = drawn([post(f"/{component}/s0/add", BODY)])
            loads.append(load(port, callers, setting.seconds, make))
        taken[2].append(pipelined_calls(ray, callers, setting.seconds))
    return taken


def _ms(work: Callable[[], object]) -> float:
    started = perf_counter()
    work()
    return (perf_counter() - started) * 1e3


def _first(port: int, entity: str) -> None:
    each_once(port, 1, [post(f"/{entity}/add", BODY)])


def _answer(port: int, path: str) -> bytes:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}", method="POST")
    with urllib.request.urlopen(request) as answer:
        found: bytes = answer.read()
    return found


def _unique_mb(pid: int) -> float:
    """Pages that only this process has (proc(5), smaps_rollup)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / KB
