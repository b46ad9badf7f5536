"""The composition root inside a host on Ray: store, shard host, HTTP and admin endpoints.

`hosted` is named in the run's plan and called in the host's process. It imports everything, the
user's service too, and opens nothing, so that a spare host can stand by; `start` opens the store.
Errors of the store become those that `actorkalix explain` knows.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import msgspec

from actorkalix.errors import ActorkalixError, catalog
from actorkalix.gateway.admin import admin_app
from actorkalix.gateway.http import http_app
from actorkalix.gateway.metrics import FolderUse, Metrics
from actorkalix.gateway.server import Server
from actorkalix.runtime.composition import build_host, build_router
from actorkalix.runtime.config import HostConfig, HostFacts
from actorkalix.runtime.inspection import StoreInspection
from actorkalix.runtime.loading import load
from actorkalix_cluster.rayhost.contract import Fatal
from actorkalix_cluster.shardhost.clock import RealClock
from actorkalix_cluster.shardhost.committer import ThreadCommitter
from actorkalix_cluster.shardhost.host import ShardHost
from actorkalix_storage.api import Store, StoreError
from actorkalix_storage.lmdbstore import open_store, verify

ADMIN_GRACE_S = 1.0
BLOCK_BYTES = 512  # of st_blocks, stat(2)


def hosted(config: bytes, sockets: list[socket.socket], fatal: Fatal) -> ServiceHost:
    """The `Factory` of hosts that run a service.

    Args:
        config: a `HostConfig` in msgpack.
        sockets: of the HTTP API and of the admin port.
        fatal: ends the process.

    Raises:
        DefinitionError: the service cannot be imported (any more).
    """
    _log_to_stderr()
    http, admin = sockets
    return ServiceHost(msgspec.msgpack.decode(config, type=HostConfig), http, admin, fatal)


class ServiceHost:
    """`Hosted`: a service on one store. All methods run on the host's loop."""

    def __init__(
        self, config: HostConfig, http: socket.socket, admin: socket.socket, fatal: Fatal
    ) -> None:
        self._service = load(config.spec).service
        self._folder = Path(config.store)
        self._sockets = (http, admin)
        self._fatal = fatal
        self._not_ready: Sequence[str] = ("starting",)
        self._stack = AsyncExitStack()

    async def start(self) -> bytes:
        """Open the store, take over its shards, serve; returns `HostFacts` in msgpack.

        Raises:
            ActorkalixError: the store cannot be opened; the number says why.
        """
        try:
            async with AsyncExitStack() as opened:
                facts = await self._open(opened)
                self._stack = opened.pop_all()
        except StoreError as error:
            raise catalog().get(error.number, ActorkalixError)(str(error)) from error
        return msgspec.msgpack.encode(facts)

    async def health(self) -> bytes:
        """Reasons why it is not ready, as JSON."""
        return msgspec.json.encode(list(self._not_ready))

    async def stop(self, grace_s: float) -> None:
        """Answer what is in flight, commit everything, close the store."""
        loop = asyncio.get_running_loop()
        until = loop.time() + grace_s
        self._not_ready = ("draining",)
        await self._http.stop(grace_s)
        await self._host.drain(max(0.0, until - loop.time()))
        await self._stack.aclose()

    async def _open(self, opened: AsyncExitStack) -> HostFacts:
        service, limits = self._service.descriptor, self._service.limits
        metrics = Metrics()
        store, self._host = await self._open_host(metrics)
        opened.push_async_callback(self._host.stop)
        metrics.bind(self._host.stats, self._use_of_folder)
        await self._serve_admin(store, metrics, opened)
        whose = store.identity
        router = build_router(
            {whose.number: self._host}, shards=whose.shards, clock=RealClock(), limits=limits
        )
        app = http_app(
            service, router, limits=limits, ready=lambda: not self._not_ready, answered=metrics
        )
        self._http = Server(app, [self._sockets[0]])
        await self._http.start()
        self._not_ready = ()
        stats = self._host.stats()
        return HostFacts(stats.shards, stats.damaged)

    async def _open_host(self, metrics: Metrics) -> tuple[Store, ShardHost]:
        """A started shard host, which closes its store when it stops."""
        service = self._service.descriptor
        with ExitStack() as unowned:
            store = open_store(self._folder, service=service.name)
            unowned.callback(store.close)
            committer = ThreadCommitter(store)
            unowned.callback(committer.close)
            host = build_host(
                service,
                store,
                clock=RealClock(),
                committer=committer,
                limits=self._service.limits,
                observer=metrics,
                on_fatal=self._fatal,
            )
            await host.start()
            unowned.pop_all()
        return store, host

    async def _serve_admin(self, store: Store, metrics: Metrics, opened: AsyncExitStack) -> None:
        service, limits = self._service.descriptor, self._service.limits
        inspection = StoreInspection(store, service, folder=self._folder, limits=limits)
        app = admin_app(
            service,
            inspection,
            metrics=metrics,
            health=lambda: self._not_ready,
            verify=lambda: asyncio.to_thread(verify, self._folder, live=True),
        )
        admin = Server(app, [self._sockets[1]])
        await admin.start()
        opened.push_async_callback(admin.stop, ADMIN_GRACE_S)

    def _use_of_folder(self) -> FolderUse:
        used = sum(file.stat().st_blocks * BLOCK_BYTES for file in self._folder.iterdir())
        return FolderUse(used, shutil.disk_usage(self._folder).free)


def _log_to_stderr() -> None:
    """Send log lines to the stream that the run process gave us; of uvicorn's, warnings."""
    to_stderr = logging.StreamHandler(sys.stderr)
    to_stderr.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(to_stderr)
    logging.getLogger("actorkalix").setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
