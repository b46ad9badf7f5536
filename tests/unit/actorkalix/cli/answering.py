"""The admin port of a service that runs in a thread of this process, over a store in memory."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager

from starlette.types import ASGIApp

from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.gateway.admin import admin_app
from actorkalix.gateway.metrics import Metrics
from actorkalix.gateway.server import Server, bind
from actorkalix.runtime.inspection import StoreInspection
from tests.unit.actorkalix.runtime.stock import Stock


def admin_of(service: ServiceDescriptor, stock: Stock) -> ASGIApp:
    """The admin app of a service."""
    inspection = StoreInspection(stock.store, service)
    return admin_app(service, inspection, metrics=Metrics(), health=list)


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
