"""The composition root inside a view's own process: it writes the view's file, for all hosts.

`projecting` is named by the host that keeps the process (`rayhost.companion`) and called in it. It
imports the service as hosts do and opens nothing; `open` takes the folder of the view. Batches of
all hosts come as calls, and are applied one after the other on a thread, so that signs of life and
questions are answered meanwhile. What it has answered is on disk, so it may end at any instant.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from actorkalix.errors import UnknownRoute, ViewIncomplete
from actorkalix.runtime.far_answering import AskedPlaces, FarAnswers
from actorkalix.runtime.far_frames import EXCHANGE
from actorkalix.runtime.far_looking import far_methods
from actorkalix.runtime.loading import ServiceSpec, load
from actorkalix.runtime.logs import log_to_stderr
from actorkalix.runtime.view_desk import ViewDesk
from actorkalix.views.files import AWAY, ViewBusy, ViewFiles, folder_of
from actorkalix.views.serving import Serving
from actorkalix_cluster.rayhost.contract import Beat, Fatal, Roll, Transport
from actorkalix_cluster.rayhost.nodes import this_node
from actorkalix_cluster.rayhost.sockets import Taken
from actorkalix_cluster.rayhost.usage import usage_of
from actorkalix_cluster.shardhost.clock import RealClock

log = logging.getLogger("actorkalix.views")

T = TypeVar("T")


class ViewConfig(msgspec.Struct, frozen=True):
    """What a view's process is told to be; travels as msgpack.

    Attributes:
        spec: where the service is defined.
        view: id of the view.
        folder: of all views, on the process's node.
        fresh: what lies there has missed something, so the view is made anew.
    """

    spec: ServiceSpec
    view: str
    folder: str
    fresh: bool = False


class WriterStats(msgspec.Struct, frozen=True):
    """What became of records since the process began, who it is, and what it uses."""

    pid: int
    handled: int = 0
    duplicates: int = 0
    gaps: int = 0
    refused: int = 0
    unseen_ends: int = 0
    whole: bool = False
    node: str = ""
    memory_bytes: int = 0
    cpu_s: float = 0.0


def projecting(config: bytes, taken: Taken, fatal: Fatal) -> Projecting:
    """The `Factory` of processes that write a view.

    Args:
        config: a `ViewConfig` in msgpack.
        taken: sockets, which are not for views.
        fatal: ends the process.

    Raises:
        DefinitionError: the service cannot be imported (any more), or has no such view.
    """
    log_to_stderr()
    for each in taken.sockets():
        each.close()
    return Projecting(msgspec.msgpack.decode(config, type=ViewConfig))


class Projecting:
    """`Hosted`: one view's writer. All methods but `beat` run on its loop."""

    def __init__(self, config: ViewConfig) -> None:
        service = load(config.spec).service
        component = service.descriptor.components.get(config.view)
        if component is None or component.view is None:
            raise UnknownRoute(f"the service has no view {config.view!r} any more")
        self._component = component
        self._node = this_node()
        self._limits = service.limits
        self._fresh = config.fresh
        self._folder = folder_of(Path(config.folder), config.view)
        self._answers: FarAnswers | None = None
        self._files: ViewFiles | None = None
        self._thread = ThreadPoolExecutor(1, "view")
        self._methods: Mapping[str, Callable[[bytes], Awaitable[bytes]]] = {
            "open": self._open,
            "apply": self._apply,
            "stats": self._stats,
            "rebuild": self._rebuild,
            EXCHANGE: self._exchange,
            **far_methods(self._component, self._folder),
        }

    async def call(self, method: str, arguments: bytes) -> bytes:
        """Do what hosts ask: `open`, `apply`, `stats`, `rebuild`; and queries, from other nodes."""
        wanted = self._methods.get(method)
        if wanted is None:
            raise UnknownRoute(f"a view's process has no method {method!r}")
        return await wanted(arguments)

    def beat(self) -> Beat:
        """A sign of life, from any thread."""
        now_ms = time.time_ns() // 1_000_000
        return Beat(os.getpid(), "serving", time_ms=now_ms, node=self._node)

    def enroll(self, roll: Roll, ways: dict[int, Transport]) -> None:
        """Views are told of nobody: hosts come to them."""
        raise AssertionError("a view's process is not enrolled")

    def take(self, batch: bytes) -> None:
        """Batches come as calls, for they are answered."""
        raise AssertionError("a view's process takes no batches of links")

    async def _open(self, _: bytes) -> bytes:
        if self._files is None:
            try:
                self._files = await self._on_thread(self._open_files)
            except ViewBusy as busy:
                raise ViewIncomplete(str(busy)) from busy
            log.info("view %s is written by process %d", self._component.component_id, os.getpid())
        return b""

    def _open_files(self) -> ViewFiles:
        if self._fresh and self._folder.is_dir():
            (self._folder / AWAY).touch()
        return ViewFiles(self._folder, self._component)

    async def _exchange(self, said: bytes) -> bytes:
        if self._answers is None:
            serving = Serving(self._component.component_id, self._folder)
            self._desk = ViewDesk(
                self._component, serving, AskedPlaces(), RealClock(), self._limits
            )
            self._answers = FarAnswers(self._desk.runner, RealClock())
        return await self._answers.exchange(said)

    async def _apply(self, batch: bytes) -> bytes:
        files = self._opened()
        return await self._on_thread(lambda: files.apply(batch))

    async def _stats(self, _: bytes) -> bytes:
        files = self._opened()
        tally, usage = files.projection.tally, usage_of(os.getpid())
        return msgspec.msgpack.encode(
            WriterStats(
                os.getpid(),
                tally.handled,
                tally.duplicates,
                tally.gaps,
                tally.refused,
                tally.unseen_ends,
                files.projection.ready,
                self._node,
                usage.memory_bytes,
                usage.cpu_s,
            )
        )

    async def _rebuild(self, _: bytes) -> bytes:
        await self._on_thread(self._opened().rebuild)
        return b""

    async def aclose(self) -> None:
        """Close the file; of tests, for processes just end."""
        if self._answers is not None:
            await self._answers.aclose()
            await self._desk.aclose()
        if self._files is not None:
            await self._on_thread(self._files.close)
        self._thread.shutdown()

    def _opened(self) -> ViewFiles:
        if self._files is None:
            raise ViewIncomplete("the view's process opens its file still")
        return self._files

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
