"""The group commit curve: clients in one process, from the router to the log, no HTTP, no Ray."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from time import perf_counter

import msgspec
import uvloop

from actorkalix.limits import Limits
from actorkalix.runtime.composition import build_host
from actorkalix_cluster.shardhost.clock import RealClock
from actorkalix_cluster.shardhost.committer import ThreadCommitter
from actorkalix_cluster.shardhost.host import ShardHost
from actorkalix_cluster.shardhost.messages import Message, MessageKind
from actorkalix_cluster.shardhost.observer import SilentObserver
from actorkalix_storage.lmdbstore import open_store

from .service import service


class _Counting(SilentObserver):
    """Counts commits."""

    def __init__(self) -> None:
        self.commits = 0

    def committed(self, appends: int, records: int, bytes_written: int, seconds: float) -> None:
        self.commits += 1


class Point(msgspec.Struct, frozen=True):
    """One point of the curve."""

    clients: int
    rate: float
    commits: float
    p50_ms: float
    p99_ms: float


async def _client(
    host: ShardHost, number: int, keys: int, until: float, latencies: list[float]
) -> None:
    count = 0
    while perf_counter() < until:
        count += 1
        entity = f"k{(number * 7919 + count) % keys}"
        message = Message(MessageKind.COMMAND, "counter", entity, "add", b'{"amount":1}')
        started = perf_counter()
        reply = await host.ask(message)
        latencies.append(perf_counter() - started)
        if reply.failure is not None:
            raise RuntimeError(f"{reply.failure.number}: {reply.failure.message}")


async def _measure(clients: int, seconds: float, keys: int) -> Point:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder, service="bench")
        observer = _Counting()
        committer = ThreadCommitter(store)
        host = build_host(
            service.descriptor,
            store,
            clock=RealClock(),
            committer=committer,
            limits=Limits(),
            observer=observer,
        )
        await host.start()
        latencies: list[float] = []
        observer.commits = 0
        started = perf_counter()
        await asyncio.gather(
            *(_client(host, n, keys, started + seconds, latencies) for n in range(clients))
        )
        elapsed = perf_counter() - started
        commits = observer.commits
        await host.drain(10)
        await host.stop()
    latencies.sort()
    return Point(
        clients,
        len(latencies) / elapsed,
        commits / elapsed,
        statistics.median(latencies) * 1000,
        latencies[int(len(latencies) * 0.99)] * 1000,
    )


def bench_group_commit(
    clients: tuple[int, ...] = (1, 4, 16, 64, 256, 1024), seconds: float = 2.0, keys: int = 10_000
) -> list[Point]:
    """Durable commands a second and commits a second by number of clients."""
    return [uvloop.run(_measure(count, seconds, keys)) for count in clients]
