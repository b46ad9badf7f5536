"""The service in the benchmark's own process: router, host, store on disk; no HTTP, no Ray."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from time import perf_counter

from actorkalix import Service
from actorkalix.limits import Limits
from actorkalix.ports import Ask
from actorkalix.runtime.composition import build_host, build_router
from actorkalix_cluster.placement import SHARDS_DEFAULT
from actorkalix_cluster.shardhost.clock import RealClock
from actorkalix_cluster.shardhost.collector import look_rarely
from actorkalix_cluster.shardhost.committer import ThreadCommitter
from actorkalix_cluster.shardhost.host import ShardHost
from actorkalix_cluster.shardhost.messages import Message, MessageKind, Reply
from actorkalix_cluster.shardhost.observer import Observer
from actorkalix_cluster.shardhost.router import Router
from actorkalix_storage.lmdbstore import open_store

from .load import Load, load_of
from .service import service
from .serving import BODY

DRAIN_S = 10.0
LIMITS = Limits(passivate_after=timedelta(hours=1), entities_max=10_000_000)
"""Entities stay in memory while something is measured: when they leave it is not the question."""


@asynccontextmanager
async def serving(
    folder: Path, *, observer: Observer | None = None, limits: Limits = LIMITS
) -> AsyncGenerator[Router]:
    """The router over one host, over the store in a folder, which is made if it is not there."""
    async with hosting(folder, observer=observer, limits=limits) as (_, router):
        yield router


@asynccontextmanager
async def hosting(
    folder: Path,
    *,
    observer: Observer | None = None,
    limits: Limits = LIMITS,
    of: Service = service,
) -> AsyncGenerator[tuple[ShardHost, Router]]:
    """`serving`, and the host, whose timers do not fire until it is connected."""
    clock = RealClock()
    look_rarely()
    store = open_store(folder, service=of.name)
    host = build_host(
        of.descriptor,
        store,
        clock=clock,
        committer=ThreadCommitter(store),
        limits=limits,
        observer=observer,
    )
    await host.start()
    try:
        yield host, build_router({0: host}, shards=SHARDS_DEFAULT, clock=clock, limits=limits)
    finally:
        await host.drain(DRAIN_S)
        await host.stop()


def command(number: int) -> Message:
    """One `add` for an entity."""
    return Message(MessageKind.COMMAND, "counter", f"k{number}", "add", BODY)


def query(number: int) -> Message:
    """One `total` of an entity."""
    return Message(MessageKind.QUERY, "counter", f"k{number}", "total")


def drawn(keys: int, seed: int = 1) -> Callable[[], Message]:
    """Commands for so many entities, at random."""
    draw = random.Random(seed).randrange
    return lambda: command(draw(keys))


async def load(ask: Ask, callers: int, seconds: float, make: Callable[[], Message]) -> Load:
    """So many callers ask, each one thing after the other, for some seconds."""
    latencies: list[float] = []
    started = perf_counter()
    until = started + seconds

    async def call() -> None:
        now = perf_counter()
        while now < until:
            checked(await ask.ask(make()))
            before, now = now, perf_counter()
            latencies.append(now - before)

    await asyncio.gather(*(call() for _ in range(callers)))
    return load_of(callers, latencies, perf_counter() - started)


async def each_once(ask: Ask, callers: int, messages: Iterable[Message]) -> Load:
    """Ask every message once; with one caller, in order."""
    latencies: list[float] = []
    left = iter(messages)

    async def call() -> None:
        for message in left:
            before = perf_counter()
            checked(await ask.ask(message))
            latencies.append(perf_counter() - before)

    started = perf_counter()
    await asyncio.gather(*(call() for _ in range(callers)))
    return load_of(callers, latencies, perf_counter() - started)


def checked(reply: Reply) -> Reply:
    """The reply.

    Raises:
        RuntimeError: it is a failure.
    """
    if reply.failure is not None:
        raise RuntimeError(f"{reply.failure.number}: {reply.failure.message}")
    return reply
