"""The composition root inside a host: store, shard host, links to the other hosts, HTTP.

`hosted` is named in the run's plan and called in the process. It imports everything, the user's
service too, and opens nothing, so that a standby can wait; `start` opens a store. From then on the
process is that store's host until it ends. Errors of the store become those that `actorkalix
explain` knows.

    standby --start--> starting --> serving --retire--> serving --stop--> draining --> (killed)

`retire` and `quiet` are about HTTP alone: no more connections are taken, and what was asked is
answered, by this host and by those that it asks. Only then is the store closed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import msgspec

from actorkalix.describe.topics import topics_of
from actorkalix.errors import ActorkalixError, UnknownRoute, catalog
from actorkalix.gateway.admission import Admission
from actorkalix.gateway.http import http_app
from actorkalix.gateway.metrics import FolderUse, Metrics
from actorkalix.gateway.scraping import metrics_methods
from actorkalix.gateway.server import Server
from actorkalix.model.client import Client
from actorkalix.ports import HostMethod
from actorkalix.process_listing import ProcessView
from actorkalix.runtime.actions import Surroundings, run_inline
from actorkalix.runtime.broker_links import BrokerLinks
from actorkalix.runtime.composition import build_host, host_limits
from actorkalix.runtime.consuming import acting_methods
from actorkalix.runtime.dedicated import PlacesOnRay
from actorkalix.runtime.development import development, forbid_waiting
from actorkalix.runtime.dispatch import Dispatch
from actorkalix.runtime.fanout import inspect_methods
from actorkalix.runtime.host_backup import backup_methods
from actorkalix.runtime.in_process import HostTransport
from actorkalix.runtime.inspection import StoreInspection
from actorkalix.runtime.loading import load
from actorkalix.runtime.logs import log_to_stderr
from actorkalix.runtime.neighbours import Neighbours
from actorkalix.runtime.orders import HostConfig, HostFacts, StoreConfig
from actorkalix.runtime.other_services import OtherServices
from actorkalix.runtime.outlet import outlet_methods
from actorkalix.runtime.outside import brokers_of
from actorkalix.runtime.resources import Resources, start_up
from actorkalix.runtime.retention import Retention
from actorkalix.runtime.state_scan import scan_methods
from actorkalix.runtime.steps import FieldsTold, run_steps
from actorkalix.runtime.tasks import ActionTasks, task_actions, task_steps
from actorkalix.runtime.timer_listing import cancel_methods
from actorkalix.runtime.topics import topic_methods
from actorkalix.runtime.verification import verify_methods
from actorkalix.runtime.view_hosting import ViewHosting
from actorkalix.runtime.workflow_listing import control_methods
from actorkalix_cluster.rayhost.contract import (
    STANDBY,
    Assignment,
    Beat,
    Fatal,
    HostState,
    Roll,
    Transport,
)
from actorkalix_cluster.rayhost.others import Others
from actorkalix_cluster.rayhost.sockets import Taken
from actorkalix_cluster.shardhost.clock import RealClock
from actorkalix_cluster.shardhost.committer import ThreadCommitter
from actorkalix_cluster.shardhost.host import ShardHost
from actorkalix_cluster.shardhost.watchdog import Watch, Watchdog
from actorkalix_storage.api import StoreError
from actorkalix_storage.lmdbstore import Findings, LmdbStore, open_store, verify

log = logging.getLogger("actorkalix.host")

BLOCK_BYTES = 512  # of st_blocks, stat(2)
FLUSH_S_MAX = 2.0  # for answers on their way to other hosts, when this one ends
LAST_BEAT_S = 1.0  # a hanging handler is named to the controller before the process ends


def hosted(config: bytes, taken: Taken, fatal: Fatal) -> ServiceHost:
    """The `Factory` of hosts that run a service.

    Args:
        config: a `HostConfig` in msgpack.
        taken: sockets of the HTTP API, and of the admin port, which is not for hosts.
        fatal: ends the process.

    Raises:
        DefinitionError: the service cannot be imported (any more).
    """
    log_to_stderr()
    http, admin = taken.sockets()
    admin.close()
    return ServiceHost(msgspec.msgpack.decode(config, type=HostConfig), http, fatal)


class ServiceHost:
    """`Hosted`: a service on one store. All methods but `beat` run on the host's loop."""

    def __init__(self, config: HostConfig, http: socket.socket, fatal: Fatal) -> None:
        self._service = load(config.spec).service
        self._config = config
        self._dev = config.dev
        self._http_socket = http
        self._fatal = fatal
        self._state: HostState = "standby"
        self._assignment = Assignment(STANDBY, 0, b"")
        self._watch: Watch | None = None
        self._neighbours: Neighbours | None = None
        self._views: ViewHosting | None = None
        self._places = PlacesOnRay(self._service.descriptor, config)
        self._stack = AsyncExitStack()
        self._started_up: asyncio.Task[None] | None = None
        self._methods: Mapping[str, HostMethod] = {
            "start": self._start,
            "retire": self._retire,
            "quiet": self._quiet,
            "settle": self._settle,
            "stop": self._stop,
        }
        if config.dev:
            forbid_waiting()

    async def call(self, method: str, arguments: bytes) -> bytes:
        """Do what is asked; see the methods below, and those that a store brings along."""
        wanted = self._methods.get(method)
        if wanted is None:
            raise UnknownRoute(f"a host that is {self._state} has no method {method!r}")
        return await wanted(arguments)

    def beat(self) -> Beat:
        """A sign of life, from any thread."""
        watch, assignment = self._watch, self._assignment
        return Beat(
            os.getpid(),
            self._state,
            assignment.store,
            assignment.incarnation,
            time.time_ns() // 1_000_000,
            watch.held_ms() if watch is not None else 0,
            watch.held_by() if watch is not None else "",
            watch.blocked() if watch is not None else {},
        )

    def enroll(self, roll: Roll, ways: dict[int, Transport]) -> None:
        """Who is there: links to the other hosts follow."""
        if self._neighbours is not None:
            self._neighbours.enroll(roll, ways)
        if self._views is not None:
            self._views.enroll()

    def take(self, batch: bytes) -> None:
        """A batch of another host."""
        if self._neighbours is not None:
            self._neighbours.receive(batch)

    # ---- what the controller asks -------------------------------------------------------------
    async def _start(self, arguments: bytes) -> bytes:
        """Open the store, take over its shards, serve; returns `HostFacts`.

        Raises:
            ActorkalixError: the store cannot be opened; the number says why.
        """
        assert self._state == "standby", self._state
        self._assignment = msgspec.msgpack.decode(arguments, type=Assignment)
        self._state = "starting"
        config = msgspec.msgpack.decode(self._assignment.config, type=StoreConfig)
        try:
            async with AsyncExitStack() as opened:
                facts = await self._open(config, opened)
                self._stack = opened.pop_all()
        except StoreError as error:
            raise catalog().get(error.number, ActorkalixError)(str(error)) from error
        self._state = "serving"
        if self._assignment.store == min(config.homes.stores()):
            self._started_up = asyncio.create_task(self._start_up(), name="on_startup")
        return msgspec.msgpack.encode(facts)

    async def _retire(self, arguments: bytes) -> bytes:
        """Take no more connections, close those that there are as politely as HTTP can."""
        await self._http.retire(msgspec.msgpack.decode(arguments, type=float))
        return b""

    async def _quiet(self, arguments: bytes) -> bytes:
        """Take no more connections, answer what was asked, close all connections."""
        await self._http.stop(msgspec.msgpack.decode(arguments, type=float))
        return b""

    async def _settle(self, arguments: bytes) -> bytes:
        """Ask nothing more of the host of a store that is being replaced, take its answers."""
        if self._neighbours is not None:
            await self._neighbours.settled(msgspec.msgpack.decode(arguments, type=int))
        return b""

    async def _stop(self, arguments: bytes) -> bytes:
        """Answer what is in flight, commit everything, close the store."""
        grace_s = msgspec.msgpack.decode(arguments, type=float)
        self._state = "draining"
        if self._started_up is not None:
            self._started_up.cancel()
        await self._http.stop(grace_s)
        await self._links.stop_reading()
        await self._host.drain(grace_s)
        await self._stack.aclose()
        if self._neighbours is not None:
            await self._neighbours.flushed(FLUSH_S_MAX)
        return b""

    # ---- opening ------------------------------------------------------------------------------
    async def _open(self, config: StoreConfig, opened: AsyncExitStack) -> HostFacts:
        service, limits = self._service.descriptor, self._service.limits
        folder = Path(config.folder)
        metrics = Metrics()
        self._watch = Watch(host_limits(limits), self._assignment.blocked)
        others = OtherServices(Others())
        links = self._links = BrokerLinks(self._service, RealClock().now_ms, others)
        opened.push_async_callback(links.aclose)
        store, self._host = await self._open_host(config, metrics, self._watch)
        opened.push_async_callback(self._host.stop)
        watchdog = Watchdog(self._watch, self._hang)
        watchdog.start()
        opened.callback(watchdog.stop)
        neighbours = Neighbours(self._assignment, self._host, config.homes, RealClock(), limits)
        dispatch = self._dispatch = await self._open_actions(neighbours, metrics, opened)
        views = self._open_views(config, store, neighbours)
        opened.push_async_callback(views.aclose)
        metrics.bind(
            self._host.stats, lambda: _use_of(folder, store), views.uses, self._places.uses
        )
        app = http_app(
            service,
            Admission(dispatch, service),
            limits=limits,
            ready=lambda: self._state == "serving",
            answered=metrics,
        )
        self._http = Server(app, [self._http_socket])
        self._methods = {**self._methods, **self._methods_of(store, folder, metrics)}
        await self._http.start()
        self._neighbours, self._views = neighbours, views
        self._host.connect(dispatch, views)
        self._retain(store, opened)
        first = self._assignment.store == min(config.homes.stores())
        links.start(neighbours.router, first=first)
        opened.push_async_callback(links.stop_reading)
        stats = self._host.stats()
        return HostFacts(stats.shards, stats.damaged)

    async def _open_host(
        self, config: StoreConfig, metrics: Metrics, watch: Watch
    ) -> tuple[LmdbStore, ShardHost]:
        """A started shard host, which closes its store when it stops."""
        service = self._service.descriptor
        number = self._assignment.store
        with ExitStack() as unowned:
            store = open_store(
                Path(config.folder),
                service=service.name,
                shards=config.shards,
                cluster=config.cluster,
                number=number,
                create=False,
            )
            unowned.callback(store.close)
            committer = self._committer = ThreadCommitter(store)
            unowned.callback(committer.close)
            host = build_host(
                service,
                store,
                shards=config.homes.of_store(number),
                clock=RealClock(),
                committer=committer,
                limits=self._service.limits,
                observer=metrics,
                watch=watch,
                on_fatal=self._fatal,
                wrap=development if self._dev else None,
                places=self._places,
                publishing=self._links.publishing,
            )
            await host.start()
            unowned.pop_all()
        return store, host

    async def _open_actions(
        self, neighbours: Neighbours, metrics: Metrics, opened: AsyncExitStack
    ) -> Dispatch:
        """What answers messages here: the router, and the actions of the service."""
        service, limits, clock = self._service, self._service.limits, RealClock()
        dispatch = Dispatch(neighbours.router, clock, limits, self._links.topics, metrics)
        resources = Resources(service.name, service.resources)
        opened.push_async_callback(resources.aclose)
        around = Surroundings(dispatch, clock, limits, resources, watch=self._watch)
        inline = run_inline(dispatch, service.descriptor, around)
        steps = run_steps(
            dispatch, service.descriptor, around, watch=self._watch, told=FieldsTold()
        )
        opened.push_async_callback(dispatch.aclose)
        if task_actions(service.descriptor) or task_steps(service.descriptor):
            tasks = ActionTasks(service.descriptor, limits, self._config, dispatch, clock)
            opened.callback(tasks.close)
            self._methods = {**self._methods, **tasks.methods}
            await tasks.start(dispatch, inline, steps)
        return dispatch

    def _open_views(
        self, config: StoreConfig, store: LmdbStore, neighbours: Neighbours
    ) -> ViewHosting:
        """What keeps the views of the service, and answers for them here."""
        views = ViewHosting(
            self._service.descriptor,
            self._config,
            Path(config.views),
            store,
            lambda: config.homes,
            neighbours,
            RealClock(),
            self._service.limits,
            lambda: self._host.feeds,
        )
        for name, runner in views.runners.items():
            self._dispatch.add(name, runner, runner.begin)
        self._methods = {**self._methods, **views.methods}
        return views

    def _retain(self, store: LmdbStore, opened: AsyncExitStack) -> None:
        """Have the topics drop what they need not keep."""
        service = self._service
        retention = Retention(
            topics_of(service.descriptor),
            brokers_of(service),
            service.limits,
            ask=self._dispatch,
            store=store,
            committer=self._committer,
            clock=RealClock(),
        )
        retention.start(self._host.owns)
        opened.callback(retention.stop)

    async def _start_up(self) -> None:
        """Call the service's hook, on the host of its first store."""
        hook = self._service.on_startup
        if hook is None:
            return
        transport = HostTransport(self._dispatch, RealClock())
        client = Client._over(transport, loop=asyncio.get_running_loop())
        try:
            await start_up(hook, client)
        except Exception:
            log.exception("on_startup of service %r failed", self._service.name)

    def _methods_of(
        self, store: LmdbStore, folder: Path, metrics: Metrics
    ) -> dict[str, HostMethod]:
        service, limits = self._service.descriptor, self._service.limits
        inspection = StoreInspection(store, service, folder=folder, limits=limits)

        async def check() -> Findings:
            return await asyncio.to_thread(verify, folder, live=True)

        return {
            **inspect_methods(inspection, self._processes),
            **scan_methods(inspection),
            **backup_methods(store, self._host.write),
            **metrics_methods(metrics),
            **verify_methods(check),
            **cancel_methods(self._dispatch, RealClock()),
            **acting_methods(self._host, self._links.views),
            **topic_methods(self._dispatch, limits.topic_partitions),
            **outlet_methods(store, self._committer, self._host.owns),
            **control_methods(self._dispatch, service),
        }

    def _processes(self) -> list[ProcessView]:
        views = [] if self._views is None else self._views.processes()
        return [*views, *self._places.processes(self._assignment.store)]

    def _hang(self, reason: str) -> None:
        """On the watchdog's thread: a handler does not come back."""
        time.sleep(LAST_BEAT_S)
        self._fatal(reason)


def _use_of(folder: Path, store: LmdbStore) -> FolderUse:
    used = sum(file.stat().st_blocks * BLOCK_BYTES for file in folder.iterdir())
    reclaimed = store.reclaimed
    return FolderUse(used, shutil.disk_usage(folder).free, reclaimed.bytes, reclaimed.frames)
