"""The admin port of a service whose actions have failed: one letter, one parked order."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from actorkalix.gateway.admin import admin_app
from actorkalix.testkit import TestService
from tests.unit.actorkalix.runtime.cluster import Processes
from tests.unit.actorkalix.runtime.failing import LONG, Bill, Mail, Orders, inspection_of, service


async def fail(running: TestService) -> None:
    """Order o1 is parked for the mail, and its second payment given up by the bill."""
    Mail.broken, Bill.broken = {"o1"}, {7}
    for cents in (5, 7, 9):
        await running.client.entity(Orders, "o1").pay(cents)
    await running.advance(LONG)


async def scrape(_: str) -> tuple[bytes, str]:
    return b"", "text/plain"


class Billing:
    """An ASGI app that starts the service at its first request, on the loop that serves it."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None
        self._starting = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._starting:
            if self._app is None:
                running = await TestService(service).__aenter__()
                await fail(running)
                self._app = admin_app(
                    service.descriptor,
                    inspection_of(running),
                    fleet=Processes(),
                    metrics=scrape,
                )
        await self._app(scope, receive, send)
