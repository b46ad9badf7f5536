"""Commands through another host: over Ray, in batches, beside a Ray call for each command.

Two Ray actors are hosts as a run has them, with their stores and the links between them; only HTTP
is left out, so that callers ask the first for entities of the second and of no other. The same
process then calls a plain Ray actor from the same loop.
"""

from __future__ import annotations

import asyncio
import collections
import random
import tempfile
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import msgspec
import uvloop

from actorkalix.limits import Limits
from actorkalix.runtime.composition import build_host
from actorkalix.runtime.neighbours import Neighbours
from actorkalix_cluster.placement import SHARDS_DEFAULT, shard_of
from actorkalix_cluster.placement.ring import RingStore, propose
from actorkalix_cluster.rayhost.contract import Assignment, Roll, Transport
from actorkalix_cluster.rayhost.process import GROUPS
from actorkalix_cluster.rayhost.transport import RayTransport
from actorkalix_cluster.shardhost.clock import RealClock
from actorkalix_cluster.shardhost.committer import ThreadCommitter
from actorkalix_cluster.shardhost.messages import Message
from actorkalix_storage.api import HomeTable
from actorkalix_storage.lmdbstore import open_store

from . import in_process
from .load import Load, load_of
from .plain_ray import plain_counter, ray_here
from .rows import Row, Setting, at_least, rate_row
from .service import service
from .serving import BODY

T = TypeVar("T")
CLUSTER = "0" * 32
HOMES = HomeTable(1, propose([RingStore(0), RingStore(1)], SHARDS_DEFAULT))


class HostActor:
    """A host in a Ray actor. As in a run its loop is not Ray's, and no method is a coroutine.

    Args:
        folder: of its store.
        number: of its store, 0 or 1.
    """

    def __init__(self, folder: str, number: int) -> None:
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._batches: collections.deque[bytes] = collections.deque()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._neighbours = self._run(self._open(Path(folder), number))

    async def _open(self, folder: Path, number: int) -> Neighbours:
        clock, limits = RealClock(), Limits()
        store = open_store(folder, service=service.name, cluster=CLUSTER, number=number)
        self._host = build_host(
            service.descriptor,
            store,
            shards=HOMES.of_store(number),
            clock=clock,
            committer=ThreadCommitter(store),
            limits=limits,
        )
        await self._host.start()
        return Neighbours(Assignment(number, 1, b""), self._host, HOMES, clock, limits)

    def meet(self, store: int, handle: Any) -> None:
        """Get to know the other host."""
        ways: dict[int, Transport] = {store: RayTransport(handle, self._loop)}
        roll = Roll(1, {0: 1, 1: 1}, {}, msgspec.msgpack.encode(HOMES))
        self._run(_now(lambda: self._neighbours.enroll(roll, ways)))

    def take(self, batch: bytes) -> bytes:
        """A batch of the other host."""
        self._batches.append(batch)
        self._loop.call_soon_threadsafe(self._deliver)
        return b""

    def _deliver(self) -> None:
        while self._batches:
            self._neighbours.receive(self._batches.popleft())

    def commands(self, callers: int, seconds: float, numbers: list[int]) -> bytes:
        """Ask for these entities, wherever they are; a `Load`."""
        draw = random.Random(1).choice

        def make() -> Message:
            return in_process.command(draw(numbers))

        taken = in_process.load(self._neighbours.router, callers, seconds, make)
        return msgspec.msgpack.encode(self._run(taken))

    def calls(self, callers: int, seconds: float, counter: Any) -> bytes:
        """Call a plain actor, a Ray call for each command; a `Load`."""
        return msgspec.msgpack.encode(self._run(_calls(callers, seconds, counter)))

    def stop(self) -> None:
        """Close the store."""
        self._run(self._host.stop())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


async def _now(work: Callable[[], None]) -> None:
    work()


async def _calls(callers: int, seconds: float, counter: Any) -> Load:
    latencies: list[float] = []
    started = perf_counter()

    async def call() -> None:
        now = perf_counter()
        while now < started + seconds:
            await asyncio.wrap_future(counter.add.remote(1).future())
            before, now = now, perf_counter()
            latencies.append(now - before)

    await asyncio.gather(*(call() for _ in range(callers)))
    return load_of(callers, latencies, perf_counter() - started)


def host_hop(setting: Setting) -> list[Row]:
    """Durable commands that the first host is asked for and the second one runs."""
    there: list[int] = []
    number = 0
    while len(there) < setting.keys:
        shard = shard_of("counter", f"k{number}", SHARDS_DEFAULT)
        there += [number] if HOMES.homes[shard] == (1,) else []
        number += 1
    ours: list[Load] = []
    calls: list[Load] = []
    with tempfile.TemporaryDirectory() as folder, ray_here() as ray:
        made = ray.remote(concurrency_groups=GROUPS)(HostActor).options(num_cpus=0)
        hosts = [made.remote(f"{folder}/store-{each}", each) for each in (0, 1)]
        ray.get([host.meet.remote(1 - each, hosts[1 - each]) for each, host in enumerate(hosts)])
        counter = plain_counter(ray)
        for _ in range(setting.rounds):
            for loads, method, what in ((ours, "commands", there), (calls, "calls", counter)):
                asked = getattr(hosts[0], method)
                answer = ray.get(asked.remote(setting.connections, setting.seconds, what))
                loads.append(msgspec.msgpack.decode(answer, type=Load))
        ray.get([host.stop.remote() for host in hosts])
    return [
        rate_row(
            "durable command through another host",
            ours,
            "a Ray call of a plain actor for each",
            calls,
            payload_bytes=len(BODY),
            targets=(at_least(20_000), at_least(10, "ratio")),
        )
    ]
