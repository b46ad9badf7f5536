"""The way from one host to another: calls of its actor, which carry one batch each.

A call is sent once (`max_task_retries=0`). Ray may run calls of one sender out of order, and a call
that fails may have been run: `shardhost.links`, which numbers batches, knows both.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Callable
from typing import Any

from actorkalix_cluster.rayhost.contract import value_of
from actorkalix_cluster.rayhost.launch import module
from actorkalix_cluster.shardhost.links import PeerEnded

Done = Callable[[Exception | None], object]


class RayTransport:
    """See `links.Transport`.

    Args:
        handle: the peer's actor.
        loop: of this host, where `send` is called and `done` is told.
    """

    def __init__(self, handle: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._take = handle.take.options(concurrency_group="links")
        self._handle = handle
        self._loop = loop

    def send(self, batch: bytes, done: Done) -> None:
        """Send a batch; `done` is told None when the peer has it in memory."""
        future: concurrent.futures.Future[bytes] = self._take.remote(batch).future()
        future.add_done_callback(lambda ended: self._back(ended, done))

    async def call(self, method: str, arguments: bytes) -> bytes:
        """Ask the peer; see `contract.CallTransport`."""
        try:
            answer: bytes = await asyncio.wrap_future(
                self._handle.call.remote(method, arguments).future()
            )
        except module("ray.exceptions").RayActorError as error:
            raise ConnectionError(str(error).partition("\n")[0]) from error
        return value_of(answer)

    def _back(self, ended: concurrent.futures.Future[bytes], done: Done) -> None:
        """On a thread of Ray's."""
        error = ended.exception()
        told = error if isinstance(error, Exception) else None
        if isinstance(error, module("ray.exceptions").ActorDiedError):
            told = PeerEnded(str(error).partition("\n")[0])
        with contextlib.suppress(RuntimeError):  # the loop is closed: this host ends as well
            self._loop.call_soon_threadsafe(done, told)
