"""The admin port of a service that runs in a thread of this process, over a store in memory."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager

import msgspec
from starlette.types import ASGIApp

from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.engine.timer import CANCEL
from actorkalix.errors import UnknownRoute
from actorkalix.gateway.admin import admin_app
from actorkalix.gateway.scraping import ClusterMetrics
from actorkalix.gateway.server import Server, bind
from actorkalix.model.names import check_timer_name
from actorkalix.ports import HostView, PublishedView, PublishOrder, TopicView
from actorkalix.runtime.fanout import ClusterInspection, LocalCalls, inspect_methods
from actorkalix.runtime.inspection import StoreInspection
from actorkalix.view_listing import Views
from actorkalix_storage.api import HomeTable
from tests.unit.actorkalix.runtime.cluster import Processes
from tests.unit.actorkalix.runtime.stock import NOW_MS, Stock


def admin_of(service: ServiceDescriptor, stock: Stock, views: Views | None = None) -> ASGIApp:
    """The admin app of a service with one host, over a store."""
    calls = LocalCalls({0: inspect_methods(StoreInspection(stock.store, service))})
    homes = HomeTable(1, ((0,),) * stock.store.identity.shards)

    async def cancel_timer(name: str) -> bool:
        return msgspec.msgpack.decode(stock.timer(check_timer_name(name), CANCEL), type=bool)

    fleet = Processes(HostView(0, "serving", 7, incarnation=1, since_ms=NOW_MS))
    return admin_app(
        service,
        ClusterInspection(calls, lambda: homes, service, fleet=fleet),
        fleet=fleet,
        metrics=ClusterMetrics(calls, fleet).scrape,
        replace=replace,
        cancel_timer=cancel_timer,
        topics=Desk(),
        views=views,
    )


class Desk:
    """Topics that remember nothing but a number."""

    def __init__(self) -> None:
        self._size = 0

    async def listed(self) -> list[TopicView]:
        partitions = [1_000, self._size, 0]
        kept = (604_800, 1 << 40, "kafka k:9092")
        return [TopicView("orders", partitions, 5_000_000, 7, *kept)]

    async def publish(self, topic: str, order: PublishOrder) -> PublishedView:
        if topic != "orders":
            raise UnknownRoute(f"the service names no topic {topic!r}; there are orders")
        assert (order.data, order.subject, order.id, order.type) == ({"a": 1}, "s", "i", "T")
        self._size += 1
        return PublishedView(topic, 1, self._size)


async def replace(_: int) -> None:
    """Nobody needs to be replaced here."""


@contextmanager
def answering(app: ASGIApp) -> Generator[str]:
    """Serves an app on a free port; its URL."""
    ready, stop = threading.Event(), threading.Event()
    listening = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"

    async def serve() -> None:
        server = Server(app, [listening])
        await server.start()
        ready.set()
        await asyncio.to_thread(stop.wait)
        await server.stop(1)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(10)
    try:
        yield url
    finally:
        stop.set()
        thread.join()
