"""`TestService`: a whole service in one process, without Ray, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from functools import partial
from typing import TypeVar

from actorkalix.describe.streams import offers_of, streams_taken
from actorkalix.describe.topics import topics_of
from actorkalix.errors import OwnerAway
from actorkalix.model.client import Client
from actorkalix.model.service import Service
from actorkalix.model.timers import Timers
from actorkalix.runtime.actions import Surroundings, run_inline
from actorkalix.runtime.composition import build_host
from actorkalix.runtime.dispatch import Dispatch
from actorkalix.runtime.feeding import LocalTarget
from actorkalix.runtime.in_process import HostTransport, LoneHost
from actorkalix.runtime.resources import Resources, start_up
from actorkalix.runtime.steps import FieldsTold, run_steps
from actorkalix.runtime.timing import HostTimers
from actorkalix.runtime.view_desk import ViewDesk
from actorkalix.runtime.view_places import ServicePlaces
from actorkalix.runtime.virtual import VirtualClock, settle
from actorkalix.testkit.topics import TestTopic
from actorkalix.testkit.watching import Findings
from actorkalix.views.memory import MemoryView
from actorkalix_cluster.placement import SHARDS_DEFAULT
from actorkalix_cluster.shardhost.committer import InlineCommitter
from actorkalix_cluster.shardhost.host import ShardHost
from actorkalix_cluster.shardhost.messages import Message, Reply
from actorkalix_storage.api import HomeTable, StoreIdentity
from actorkalix_storage.memorystore import MemoryStore

T = TypeVar("T", bound="TestService")
DRAIN_S = 60.0


class TestService:
    """A whole service in one process: all that is real but for a store in memory and virtual time.

    Use it as `async with TestService(service) as running:`. Nothing in it sleeps, reads a clock or
    draws a random number, so every run is the same. A handler that changes a state in place, or
    waits (sleeps, uses a socket, starts a process), is an error that names it.

    Args:
        service: what to run.
    """

    __test__ = False  # pytest: it is no test class

    def __init__(self, service: Service, /) -> None:
        self.service = service
        self._clock = VirtualClock()
        name = service.descriptor.name
        self._store = MemoryStore(StoreIdentity("0" * 32, name, 0, SHARDS_DEFAULT, lineage=1))
        self._host: ShardHost | None = None
        self._dispatch: Dispatch | None = None
        self._resources = Resources(service.name, service.resources)
        self._findings = Findings()
        self._fields_told = FieldsTold()
        self._topics: dict[str, TestTopic] = {}
        self._views: dict[str, MemoryView] = {}
        self._desks: dict[str, ViewDesk] = {}
        self._client = Client._over(HostTransport(self, self._clock), sleep=self._sleep)

    @property
    def client(self) -> Client:
        """Calls the service."""
        return self._client

    @property
    def timers(self) -> Timers:
        """The service's timers, as its actions have them."""
        return Timers(HostTimers(self, self._clock))

    def topic(self, name: str, /) -> TestTopic:
        """A topic that the service names: publish to it, and look at what is published.

        Raises:
            ValueError: no component of the service names it.
        """
        known = [one for one in topics_of(self.service.descriptor) if not one.startswith("~")]
        if name not in known:
            there = ", ".join(map(repr, known)) or "none"
            raise ValueError(f"the service names no topic {name!r}; there are {there}")
        return self._topic(name)

    def _topic(self, name: str) -> TestTopic:
        return self._topics.setdefault(
            name,
            TestTopic(
                *(name, self, lambda: self._store),
                lambda: self.advance(timedelta(0)),
                self.service.limits.topic_partitions,
            ),
        )

    def other_stream(self, service: str, name: str, /) -> TestTopic:
        """A stream of another service that this one takes: publish into it, as that service does.

        Raises:
            ValueError: no component takes it.
        """
        taken = {(one.service, one.name): one for one in streams_taken(self.service.descriptor)}
        if (service, name) not in taken:
            there = ", ".join(map(repr, sorted(taken))) or "none"
            raise ValueError(f"the service takes no stream {(service, name)}; there are {there}")
        return self._topic(taken[service, name].within)

    def public_stream(self, name: str, /) -> TestTopic:
        """A stream that the service offers to others: look at what is published.

        Raises:
            ValueError: no component offers it.
        """
        offers = offers_of(self.service.descriptor)
        if name not in offers:
            there = ", ".join(map(repr, sorted(offers))) or "none"
            raise ValueError(f"the service offers no stream {name!r}; there are {there}")
        return self._topic(offers[name].within)

    @property
    def now_ms(self) -> int:
        """The virtual time, in milliseconds since 1970."""
        return self._clock.now_ms()

    async def __aenter__(self: T) -> T:
        for name, component in self.service.descriptor.components.items():
            if component.view is not None:
                self._views[name] = MemoryView(component, on_applied=partial(self._told, name))
        await self._start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        host, self._host = self._host, None
        if host is not None:
            await self._client.__aexit__(*exc)
            await self._end_handlers()
            await self._resources.aclose()
            await host.drain(DRAIN_S)
            await host.stop()
        for view in self._views.values():
            view.close()
        self._views.clear()

    async def advance(self, by: timedelta, /) -> None:
        """Let time pass: timers fire, what expires expires, idle entities leave memory.

        Everything that falls due happens in order, each with all that follows from it.
        """
        await self._clock.advance(by // timedelta(milliseconds=1), self._busy)

    async def views_caught_up(self) -> None:
        """Wait until all views have what has happened: what is asked of them then shows it.

        No time passes. `advance` does the same for what happens while time passes; a subject that
        a view fails on is left out, it is tried again in its time.
        """
        await self.advance(timedelta(0))

    async def restart(self) -> None:
        """Kill the process, as `kill -9` would, and start it again on what was stored.

        Commands in flight are answered with an unknown outcome.
        """
        assert self._host is not None, "restart() within `async with`"
        await self._end_handlers()
        self._host.abandon()
        await settle()
        for view in self._views.values():
            view.restart()
        self._store = self._store.crash()
        await self._start()

    async def ask(self, message: Message, elements: AsyncIterator[bytes] | None = None, /) -> Reply:
        """Send a message as the gateway does; `client` is the usual way.

        Raises:
            StateChangedInPlace: a handler did; the message names it.
            HandlerWaits: a handler waited; the message names it, and what it called.
        """
        if self._dispatch is None:
            raise RuntimeError("the service runs within `async with TestService(...)` alone")
        reply = await self._dispatch.ask(message, elements)
        self._findings.raise_first()
        return reply

    async def stream(
        self, message: Message, elements: AsyncIterator[bytes] | None = None, /
    ) -> AsyncGenerator[Reply]:
        """Send a message for a handler that streams, as the gateway does."""
        if self._dispatch is None:
            raise RuntimeError("the service runs within `async with TestService(...)` alone")
        async with aclosing(self._dispatch.stream(message, elements)) as replies:
            async for reply in replies:
                self._findings.raise_first()
                yield reply

    async def _start(self) -> None:
        host = build_host(
            self.service.descriptor,
            self._store,
            clock=self._clock,
            committer=InlineCommitter(self._store),
            limits=self.service.limits,
            wrap=self._findings.wrap,
        )
        await host.start()
        self._host = host
        self._dispatch = Dispatch(LoneHost(host), self._clock, self.service.limits)
        around = Surroundings(
            self, self._clock, self.service.limits, self._resources, sleep=self._sleep
        )
        run_inline(self._dispatch, self.service.descriptor, around)
        run_steps(self._dispatch, self.service.descriptor, around, told=self._fields_told)
        self._open_desks(self._dispatch)
        writers = {name: view.apply for name, view in self._views.items()}
        host.connect(self._dispatch, LocalTarget(writers))
        if self.service.on_startup is not None:
            loop = asyncio.get_running_loop()
            transport = HostTransport(self, self._clock)
            client = Client._over(transport, sleep=self._sleep, loop=loop)
            await start_up(self.service.on_startup, client)

    def _open_desks(self, dispatch: Dispatch) -> None:
        """What answers queries of views."""
        homes = HomeTable(1, ((0,),) * SHARDS_DEFAULT)
        places = ServicePlaces(self._store, lambda: homes, _nobody)
        for name, view in self._views.items():
            component = self.service.descriptor.components[name]
            desk = self._desks[name] = ViewDesk(
                component,
                partial(getattr, view, "uri"),
                places,
                self._clock,
                self.service.limits,
                threads=0,
                look_every_s=0,
            )
            dispatch.add(name, desk.runner)

    def _told(self, view: str) -> None:
        """A view has changed."""
        desk = self._desks.get(view)
        if desk is not None:
            desk.watcher.poke()

    async def _end_handlers(self) -> None:
        dispatch, self._dispatch = self._dispatch, None
        if dispatch is not None:
            await dispatch.aclose()
        desks, self._desks = self._desks, {}
        for desk in desks.values():
            await desk.aclose()

    async def _sleep(self, seconds: float) -> None:
        await self._clock.advance(int(seconds * 1000))

    def _busy(self) -> bool:
        return self._host is not None and not self._host.idle


async def _nobody(store: int, method: str, arguments: bytes) -> bytes:
    raise OwnerAway(f"there is no store {store}")
