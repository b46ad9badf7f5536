"""Ray without actorkalix, for comparison: a plain actor that adds in memory, and bare tasks."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path
from time import perf_counter
from typing import Any

import actorkalix
import actorkalix_cluster
import actorkalix_storage
from actorkalix_cluster.rayhost import launch, reaper

from .load import Load, load_of

ROOT = Path(__file__).parents[2]


class PlainCounter:
    """The counter as a plain Ray actor: nothing is durable."""

    def __init__(self) -> None:
        self._total = 0

    def add(self, amount: int) -> int:
        self._total += amount
        return self._total

    def process(self) -> int:
        """Where it runs."""
        return os.getpid()


@contextlib.contextmanager
def ray_here() -> Generator[Any]:
    """Ray, started as a service starts its own; in the main thread. Gives the module."""
    packages = launch.python_path(actorkalix, actorkalix_cluster, actorkalix_storage)
    with tempfile.TemporaryDirectory() as folder:
        token_file = Path(folder) / "token"
        token_file.touch(mode=0o600)
        token_file.write_text(secrets.token_hex(32))
        scratch = launch.scratch_folder(Path(folder))
        options = launch.RayOptions(scratch, token_file, python_path=(str(ROOT), *packages))
        with reaper.watching(scratch), launch.local_ray(options):
            yield launch.module("ray")
        shutil.rmtree(scratch, ignore_errors=True)


def plain_counter(ray: Any) -> Any:
    """A plain actor that has answered once."""
    counter = ray.remote(PlainCounter).options(num_cpus=0).remote()
    ray.get(counter.add.remote(0))
    return counter


def pipelined_calls(ray: Any, in_flight: int, seconds: float) -> Load:
    """Calls of one plain actor by this process: so many are sent before answers are waited for."""
    counter = plain_counter(ray)
    latencies: list[float] = []
    started = now = perf_counter()
    while now < started + seconds:
        ray.get([counter.add.remote(1) for _ in range(in_flight)])
        before, now = now, perf_counter()
        latencies += [now - before] * in_flight
    ray.kill(counter)
    return load_of(in_flight, latencies, now - started)


def same(amount: int) -> int:
    """A task that does nothing."""
    return amount


def bare_tasks(ray: Any, in_flight: int, seconds: float) -> Load:
    """Tasks of this process, one a call: so many are sent before their answers are waited for.

    One at a time has no CPU set aside, as tasks of actions have none. With many Ray would start a
    worker for each, so they have its default, one CPU.
    """
    task = ray.remote(num_cpus=0 if in_flight == 1 else 1)(same)
    latencies: list[float] = []
    started = now = perf_counter()
    while now < started + seconds:
        ray.get([task.remote(1) for _ in range(in_flight)])
        before, now = now, perf_counter()
        latencies += [now - before] * in_flight
    return load_of(in_flight, latencies, now - started)
