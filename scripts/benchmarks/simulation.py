"""The proving tool itself: histories of a simulated cluster.

Every core plays histories of the benchmarks' service under the usual faults, each with its checks:
linearizability, durability, deliveries and all other rules.
"""

from __future__ import annotations

import logging
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from actorkalix.testkit.simulation.simulating import simulate

from .rows import Row, Setting, at_least
from .service import service

OPERATIONS = 200
CLIENTS = 5


def simulated(setting: Setting) -> list[Row]:
    """Histories of 200 operations a minute, on all cores."""
    cores = os.cpu_count() or 1
    share = max(1, setting.histories // cores)
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        list(pool.map(_play, [0] * cores, [1] * cores))  # what is imported once is not measured
        rates: list[float] = []
        for turn in range(setting.rounds):
            started = time.perf_counter()
            firsts = [1 + (turn * cores + core) * share for core in range(cores)]
            played = sum(pool.map(_play, firsts, [share] * cores))
            rates.append(played / (time.perf_counter() - started) * 60)
    return [
        Row(
            what=f"simulated histories of {OPERATIONS} operations, {cores} processes",
            unit="histories/min",
            value=statistics.median(rates),
            targets=(at_least(2_000),),
        )
    ]


def _play(first: int, runs: int) -> int:
    logging.disable(logging.CRITICAL)  # hosts that are killed say so
    done = simulate(service, seed=first, runs=runs, operations=OPERATIONS, clients=CLIENTS)
    return len(done.seeds)
