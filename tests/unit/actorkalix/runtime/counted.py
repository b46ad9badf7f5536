"""A service with a view that counts, its events in memory, and its view's file on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from actorkalix import Service
from actorkalix.describe.descriptors import ComponentDescriptor
from actorkalix.runtime.virtual import VirtualClock
from actorkalix.testkit import TestService
from actorkalix.views.files import ViewFiles, folder_of
from actorkalix_cluster.shardhost.feeding import BEGINNING, FEED_VERSION, Batch, Range, pack_batch
from actorkalix_storage.api import Position
from tests.e2e.counting_service import Counter, Tallies, Tally, service

T = TypeVar("T")
VIEW = "tallies"
entities = Service("counting", components=[Counter]).descriptor
"""The service without its view."""

__all__ = ["Counter", "Tallies", "Tally", "service"]


def view() -> ComponentDescriptor:
    """The view's descriptor."""
    return service.descriptor.components[VIEW]


def play(case: Callable[[TestService], Awaitable[T]]) -> T:
    """Run a case on the service, on virtual time."""

    async def main() -> T:
        async with TestService(service) as running:
            return await case(running)

    return asyncio.run(main())


async def count(running: TestService, **events: int) -> None:
    """So many events of each counter."""
    for name, number in events.items():
        for _ in range(number):
            await running.client.entity(Counter, name).add()


class Written:
    """A view's file, whole and empty; `ViewFiles` closes it."""

    def __init__(self, views: Path, shards: int = 4) -> None:
        self.folder = folder_of(views, VIEW)
        self.files = ViewFiles(self.folder, view())
        ranges = tuple(Range(shard, BEGINNING, (7, 1, 1), newest=1) for shard in range(shards))
        self.files.apply(pack_batch(Batch(FEED_VERSION, 0, shards, 0, ranges=ranges)))


class Shards:
    """`view_waits.Places` as a test says."""

    def __init__(self) -> None:
        self.shards = 16
        self.lineage = 7
        self.newest: dict[int, Position] = {}
        self.subjects: dict[tuple[int, int], tuple[str, str]] = {}

    async def heads(self) -> dict[int, Position]:
        """Newest positions."""
        return self.newest

    async def subject_at(self, shard: int, offset: int) -> tuple[str, str] | None:
        """Whose record it is."""
        return self.subjects.get((shard, offset))


def clock() -> VirtualClock:
    """Time that stands still."""
    return VirtualClock()
