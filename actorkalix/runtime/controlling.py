"""The composition root inside the controller process: the fleet of hosts, and the admin port.

The admin port is here and not in a host, so that it answers for all of them, and while a handler
holds a host's loop, and while a host is away. What it shows it asks of the hosts.

Events of the fleet stand in a row and wait for the run process, which asks for those that it has
not seen (`events`, a long poll).
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec

from actorkalix.describe.topics import topics_of
from actorkalix.errors import InternalError, OwnerAway, UnknownRoute, catalog
from actorkalix.gateway.admin import admin_app
from actorkalix.gateway.scraping import ClusterMetrics
from actorkalix.gateway.server import Server
from actorkalix.ports import FleetView, HostView
from actorkalix.runtime.backup import ServiceBackup
from actorkalix.runtime.fanout import ClusterInspection
from actorkalix.runtime.layout import views_folder
from actorkalix.runtime.loading import load
from actorkalix.runtime.logs import log_to_stderr
from actorkalix.runtime.orders import ControllerConfig, StoreConfig
from actorkalix.runtime.outlet import Outlet
from actorkalix.runtime.outside import brokers_of
from actorkalix.runtime.timer_listing import TimerCancel
from actorkalix.runtime.topics import Topics
from actorkalix.runtime.verification import verified
from actorkalix.runtime.view_hosting import views_of
from actorkalix.runtime.view_listing import ServiceViews
from actorkalix.runtime.view_readiness import ViewsReady
from actorkalix.views.files import folder_of, mark_away
from actorkalix.views.serving import Serving
from actorkalix_cluster.rayhost.contract import (
    Beat,
    CallRefused,
    Fatal,
    Roll,
    Transport,
)
from actorkalix_cluster.rayhost.events import FleetEvent, HostDied, Numbered
from actorkalix_cluster.rayhost.fleet import Fleet, FleetPlan
from actorkalix_cluster.rayhost.slots import Slot
from actorkalix_cluster.rayhost.sockets import Handover, Taken
from actorkalix_storage.api import StoreIdentity

log = logging.getLogger("actorkalix.controller")

HOST_FACTORY = "actorkalix.runtime.on_ray:hosted"
HANDOVER = "handover-controller"
EVENTS_KEPT = 1_000
EVENTS_WAIT_S = 30.0  # a poll that brings nothing is asked again
ADMIN_GRACE_S = 1.0


def controller(config: bytes, taken: Taken, fatal: Fatal) -> Controller:
    """The `Factory` of controllers.

    Args:
        config: a `ControllerConfig` in msgpack.
        taken: sockets of the HTTP API, for hosts, and of the admin port.
        fatal: ends the process.

    Raises:
        DefinitionError: the service cannot be imported (any more).
    """
    log_to_stderr()
    return Controller(msgspec.msgpack.decode(config, type=ControllerConfig), taken, fatal)


class Controller:
    """`Hosted`: keeps the hosts, answers for them. All methods but `beat` run on its loop."""

    def __init__(self, config: ControllerConfig, taken: Taken, fatal: Fatal) -> None:
        self._config = config
        self._fatal = fatal
        self._service = load(config.host.spec).service
        self._http_socket, self._admin_socket = taken.sockets()
        self._handover = Handover(Path(config.making.scratch) / HANDOVER, taken)
        making = msgspec.structs.replace(
            config.making,
            handover=str(Path(config.making.scratch) / HANDOVER),
            ticket=self._handover.ticket,
        )
        plan = FleetPlan(
            making,
            HOST_FACTORY,
            msgspec.msgpack.encode(config.host),
            {number: self._store_config(folder) for number, folder in config.stores.items()},
            msgspec.msgpack.encode(config.homes),
            config.grace_s,
        )
        self._fleet = Fleet(plan, self._on_event)
        self._outlet = Outlet(self._service, FleetCalls(self._fleet), lambda: config.homes)
        self._deaths: dict[int, int] = {}
        self._events: list[Numbered] = []
        self._last = 0
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def call(self, method: str, arguments: bytes) -> bytes:
        """What the run process asks: `start`, `events`, `stop`; and other services: streams."""
        match method:
            case "start":
                await self._start()
            case "events":
                return await self._events_after(msgspec.msgpack.decode(arguments, type=int))
            case "streams.read":
                return await self._outlet.answer(arguments)
            case "stop":
                grace_s = msgspec.msgpack.decode(arguments, type=float)
                self._http_socket.close()  # so that new connections are refused, not queued
                await self._admin.stop(ADMIN_GRACE_S)
                await self._fleet.stop(grace_s)
            case _:
                raise UnknownRoute(f"a controller has no method {method!r}")
        return b""

    def beat(self) -> Beat:
        """A sign of life, from any thread."""
        return Beat(os.getpid(), time_ms=_now_ms())

    def enroll(self, roll: Roll, ways: dict[int, Transport]) -> None:
        """A controller is told of nobody: it tells the others."""
        raise AssertionError("a controller is not enrolled")

    def take(self, batch: bytes) -> None:
        """Batches travel between hosts alone."""
        raise AssertionError("a controller takes no batches")

    # ---- events -------------------------------------------------------------------------------
    def _on_event(self, event: FleetEvent) -> None:
        self._last += 1
        if isinstance(event, HostDied):
            self._deaths[event.store] = self._deaths.get(event.store, 0) + 1
        self._events.append(Numbered(self._last, event))
        del self._events[:-EVENTS_KEPT]
        self._news.set()

    async def _events_after(self, number: int) -> bytes:
        while not (found := [each for each in self._events if each.number > number]):
            self._news.clear()
            try:
                async with asyncio.timeout(EVENTS_WAIT_S):
                    await self._news.wait()
            except TimeoutError:
                break
        return msgspec.msgpack.encode(found)

    # ---- life ---------------------------------------------------------------------------------
    async def _start(self) -> None:
        views = views_folder(Path(self._config.data))
        mark_away(views, (each.component_id for each in views_of(self._service.descriptor)))
        await self._serve_admin()
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._guarded(self._handover.serve()), name="handover"),
            loop.create_task(self._guarded(self._keep()), name="fleet"),
        ]

    async def _keep(self) -> None:
        ending = await self._fleet.run()
        self._tasks[0].cancel()
        self._handover.close()
        self._on_event(ending)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """A bug here ends the process: another controller may do better, hosts serve on."""
        try:
            await work
        except Exception as error:
            log.exception("a bug of actorkalix")
            self._fatal(f"{type(error).__name__}: {error}")

    def _store_config(self, folder: str) -> bytes:
        config = self._config
        return msgspec.msgpack.encode(
            StoreConfig(
                folder,
                config.cluster,
                config.shards,
                config.homes,
                str(views_folder(Path(config.data))),
            )
        )

    # ---- the admin port -----------------------------------------------------------------------
    async def _serve_admin(self) -> None:
        calls = FleetCalls(self._fleet)
        service, limits = self._service.descriptor, self._service.limits
        config = self._config
        identity = StoreIdentity(
            config.cluster, service.name, min(config.stores), config.shards, config.lineage
        )
        inspection = ClusterInspection(
            calls, lambda: config.homes, service, fleet=self, identity=identity
        )
        app = admin_app(
            service,
            inspection,
            fleet=self,
            metrics=ClusterMetrics(calls, self).scrape,
            limits=limits,
            health=self._views_ready(),
            verify=lambda: verified(calls),
            backup=ServiceBackup(calls, Path(config.data)),
            replace=self._replace,
            cancel_timer=TimerCancel(calls, lambda: config.homes),
            views=ServiceViews(service, views_folder(Path(config.data)), calls),
            topics=Topics(
                topics_of(service), limits, brokers_of(self._service), calls, lambda: config.homes
            ),
        )
        self._admin = Server(app, [self._admin_socket])
        await self._admin.start()

    def _views_ready(self) -> ViewsReady:
        folder, service = views_folder(Path(self._config.data)), self._service.descriptor
        far = self._config.host.view_nodes  # what lies on other nodes is not looked at
        views = [] if far else [each.component_id for each in views_of(service)]
        return ViewsReady({name: Serving(name, folder_of(folder, name)) for name in views})

    async def _replace(self, store: int) -> None:
        try:
            await self._fleet.replace(store)
        except KeyError:
            raise OwnerAway(f"store {store} has no host that could be replaced") from None

    def fleet(self) -> FleetView:
        """The processes as they are now."""
        standbys = self._fleet.standbys
        return FleetView(
            os.getpid(),
            standbys[0].pid if standbys else 0,
            tuple(self._view_of(slot) for slot in self._fleet.slots.values()),
        )

    def _view_of(self, slot: Slot) -> HostView:
        actor = slot.actor
        return HostView(
            store=slot.number,
            state=slot.state.value,
            pid=0 if actor is None else actor.pid,
            reason=slot.reason,
            incarnation=slot.incarnation,
            since_ms=slot.since_ms,
            deaths=self._fleet.deaths(slot.number),
            deaths_total=self._deaths.get(slot.number, 0),
            held_by="" if actor is None else actor.last.held_by,
            held_ms=0 if actor is None else actor.last.held_ms,
        )


class FleetCalls:
    """`ports.HostCalls` over the fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def stores(self) -> tuple[int, ...]:
        """Numbers of all stores."""
        return tuple(self._fleet.slots)

    async def call(self, store: int, method: str, arguments: bytes) -> bytes:
        """Ask a store's host."""
        try:
            answer = await self._fleet.call(store, method, arguments)
        except CallRefused as refused:
            raise catalog().get(refused.number, InternalError)(str(refused)) from refused
        if answer is None:
            raise OwnerAway(f"no host has store {store} open")
        return answer


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
