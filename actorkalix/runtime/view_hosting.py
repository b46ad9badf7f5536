"""Views from a host's side: their processes, the way of the feeds to them, and their queries.

Each view has a process of its own (`projecting`), kept by the host of the store that hashing names
for it (`keeping`), found by all others. Feeds push batches there. Queries are not asked of it as
long as the file lies on this node: every host reads it itself. Where the cluster has nodes for
views, they live there, each on the one that hashing names, and are asked (`view_wherever`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import msgspec

from actorkalix.describe.descriptors import ComponentDescriptor, ServiceDescriptor
from actorkalix.errors import ViewIncomplete, catalog
from actorkalix.gateway.view_metrics import ViewUse
from actorkalix.limits import Limits
from actorkalix.ports import HostMethod
from actorkalix.process_listing import ProcessView
from actorkalix.runtime.far_asking import FarQueries
from actorkalix.runtime.far_looking import FarAsked
from actorkalix.runtime.host_methods import host_method
from actorkalix.runtime.neighbours import Neighbours
from actorkalix.runtime.orders import HostConfig
from actorkalix.runtime.projecting import ViewConfig, WriterStats
from actorkalix.runtime.view_desk import ViewDesk
from actorkalix.runtime.view_nodes import ViewNodes
from actorkalix.runtime.view_places import ServicePlaces, place_methods
from actorkalix.runtime.view_queries import ViewRunner
from actorkalix.runtime.view_waits import Places
from actorkalix.runtime.view_wherever import WhereverRunner
from actorkalix.views.files import folder_of
from actorkalix.views.serving import Serving
from actorkalix_cluster.placement.keeping import keeper_of
from actorkalix_cluster.rayhost.actors import Making
from actorkalix_cluster.rayhost.companion import Companion, CompanionAway
from actorkalix_cluster.rayhost.contract import CallRefused
from actorkalix_cluster.rayhost.process import TASKS
from actorkalix_cluster.shardhost.clock import Clock
from actorkalix_cluster.shardhost.feeds import Feeds
from actorkalix_cluster.shardhost.observer import FeedStats
from actorkalix_storage.api import HomeTable, Store

log = logging.getLogger("actorkalix.views")

STATS_EVERY_S = 2.0  # scrapes come each 10 s or so
FACTORY = "actorkalix.runtime.projecting:projecting"
STATS, REBUILD, FEEDS, FAR = "views.stats", "views.rebuild", "views.feeds", "views.far"


def views_of(service: ServiceDescriptor) -> list[ComponentDescriptor]:
    """The views of a service."""
    return [each for each in service.components.values() if each.view is not None]


class ViewHosting:
    """See the module. On the host's loop.

    Args:
        service: whose views.
        config: what the host was told to be; views' processes are made likewise.
        folder: of all views.
        store: of this host.
        homes: the home table as it is now.
        neighbours: the other hosts.
        clock: whose time deadlines are in.
        limits: of the service.
        feeds: of this host, when they have begun.

    Attributes:
        desks: read files, by view.
        runners: answer queries, by view.
        methods: that a host offers for views.
    """

    def __init__(
        self,
        service: ServiceDescriptor,
        config: HostConfig,
        folder: Path,
        store: Store,
        homes: Callable[[], HomeTable],
        neighbours: Neighbours,
        clock: Clock,
        limits: Limits,
        feeds: Callable[[], Feeds | None],
    ) -> None:
        self._own = store.identity.number
        self._neighbours = neighbours
        self._feeds = feeds
        self._last: dict[str, WriterStats] = {}
        self._watching: asyncio.Task[None] | None = None
        self._companions: dict[str, Companion] = {}
        self._far: list[FarQueries] = []
        self._config = config
        self._folder = folder
        self.desks: dict[str, ViewDesk] = {}
        self.runners: dict[str, ViewRunner | WhereverRunner] = {}
        places = ServicePlaces(store, homes, neighbours.call)
        for view in views_of(service):
            name = view.component_id
            if config.making is not None:
                self._companions[name] = self._companion(config.making, name)
            serving = Serving(name, folder_of(folder, name))
            desk = self.desks[name] = ViewDesk(view, serving, places, clock, limits)
            self.runners[name] = desk.runner
            if config.view_nodes and name in self._companions:
                self.runners[name] = self._wherever(name, desk, places, clock, limits)
        self.methods: Mapping[str, HostMethod] = {
            **place_methods(store, homes),
            STATS: host_method(str, self._stats),
            REBUILD: host_method(str, self._rebuild),
            FEEDS: host_method(type(None), self._feed_stats),
            FAR: host_method(FarAsked, self._far_asked),
        }

    def _companion(self, making: Making, name: str) -> Companion:
        config = msgspec.msgpack.encode(ViewConfig(self._config.spec, name, str(self._folder)))
        began = partial(self._began, name)
        if not self._config.view_nodes:
            return Companion(making, f"view-{name}", FACTORY, config, began)
        nodes = ViewNodes(self._config, self._folder, name)
        return Companion(
            *(making, f"view-{name}", FACTORY, config, began),
            where=nodes.where,
            settled=nodes.settled,
        )

    def _wherever(
        self, name: str, desk: ViewDesk, places: Places, clock: Clock, limits: Limits
    ) -> WhereverRunner:
        companion = self._companions[name]

        async def call(method: str, arguments: bytes) -> bytes:
            try:
                return await companion.call(method, arguments, TASKS)
            except (CompanionAway, CallRefused) as error:
                raise ConnectionError(str(error)) from error

        far = FarQueries(call, places, clock, limits)
        self._far.append(far)
        return WhereverRunner(
            *(name, desk.runner, far, lambda: companion.near, companion.find, clock, limits)
        )

    def enroll(self) -> None:
        """The hosts that are there may be others now."""
        if self._watching is None and self._companions:
            self._watching = asyncio.create_task(self._watch(), name="views")
        present = self._neighbours.present
        for name, companion in self._companions.items():
            companion.keep(keeper_of(f"view {name}", present) == self._own)

    def uses(self) -> list[ViewUse]:
        """What metrics show of views; of those that are kept here, as they were lately."""
        found: list[ViewUse] = []
        for name, runner in self.runners.items():
            companion, stats = self._companions.get(name), self._last.get(name)
            if companion is None or not companion.pid or stats is None:
                found.append(ViewUse(name, dict(runner.failed)))
                continue
            found.append(
                ViewUse(
                    *(name, dict(runner.failed), True, companion.deaths),
                    *(stats.handled, stats.duplicates, stats.gaps, stats.whole),
                    *(stats.refused, stats.memory_bytes, stats.cpu_s),
                )
            )
        return found

    def processes(self) -> list[ProcessView]:
        """The processes that are kept here, as they were lately."""
        found: list[ProcessView] = []
        for name, companion in self._companions.items():
            if not companion.kept:
                continue
            stats = self._last.get(name)
            seen = stats if stats is not None and stats.pid == companion.pid else WriterStats(0)
            found.append(
                ProcessView(
                    kind="view",
                    component=name,
                    entity="",
                    state="serving" if companion.pid else "starting",
                    pid=companion.pid,
                    node=seen.node,
                    memory_bytes=seen.memory_bytes,
                    cpu_s=seen.cpu_s,
                    store=self._own,
                    deaths=companion.deaths,
                )
            )
        return found

    async def _watch(self) -> None:
        """Remember what became of records, for `uses`."""
        while True:
            for name, companion in self._companions.items():
                if companion.pid:
                    with contextlib.suppress(ViewIncomplete):
                        self._last[name] = await self._stats(name)
            await asyncio.sleep(STATS_EVERY_S)

    async def apply(self, feed: str, batch: bytes, /) -> bytes:
        """Hand a batch over; see `FeedTarget`."""
        return await self._companions[feed].call("apply", batch)

    async def aclose(self) -> None:
        """Answer no more queries. The views' processes live on, for the hosts that are left."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        await asyncio.gather(*(each.aclose() for each in self._companions.values()))
        for far in self._far:
            await far.aclose()
        for desk in self.desks.values():
            await desk.aclose()

    def _began(self, view: str) -> None:
        feeds = self._feeds()
        if feeds is not None:
            feeds.begin_again(view)

    async def _feed_stats(self, _: None) -> list[FeedStats]:
        feeds = self._feeds()
        return [] if feeds is None else [each.stats() for each in feeds.feeds.values()]

    async def _stats(self, view: str) -> WriterStats:
        return msgspec.msgpack.decode(await self._asked(view, "stats"), type=WriterStats)

    async def _rebuild(self, view: str) -> None:
        await self._asked(view, "rebuild")

    async def _far_asked(self, asked: FarAsked) -> bytes:
        return await self._asked(asked.view, asked.method, asked.arguments)

    async def _asked(self, view: str, method: str, arguments: bytes = b"") -> bytes:
        try:
            return await self._companions[view].call(method, arguments)
        except CallRefused as refused:
            if refused.number in catalog():
                raise catalog()[refused.number](str(refused)) from refused
            raise ViewIncomplete(f"the process of the view {view!r} fails: {refused}") from refused
        except (CompanionAway, KeyError) as error:
            raise ViewIncomplete(f"the process of the view {view!r} is away: {error}") from error
