"""A process that a service has once, beside its hosts: kept by one of them, asked by all.

It is found by its name, whoever has made it. The host that keeps it makes it where there is none,
watches it, and makes another one when it has ended or is silent, with pauses that grow. A keeper
that ends leaves it as it is, for the next one to find. That two hosts think for a moment that they
keep it does no harm: Ray gives a name once, and what runs there has to bear another one of its
kind anyway.

Everything runs on the host's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from actorkalix_cluster.rayhost import members
from actorkalix_cluster.rayhost.actors import (
    Actor,
    Making,
    NotMade,
    actor_error,
    aside,
    found,
    made,
    named,
    ray_error,
    running,
    wait_first,
)
from actorkalix_cluster.rayhost.contract import Beat, CallRefused, value_of
from actorkalix_cluster.rayhost.launch import module
from actorkalix_cluster.rayhost.process import BEATS

log = logging.getLogger("actorkalix.companion")

BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 5.0
STEADY_S = 30.0  # it lived this long: the next end is not one of a row
FIND_S_MAX = 5.0  # Ray's directory of names answers in milliseconds, or not at all


class Where(msgspec.Struct, frozen=True):
    """Where a process is to be made.

    Attributes:
        node: id of another node than the run's, "" for the run's own.
        config: what it is made from there.
    """

    node: str
    config: bytes


class CompanionAway(Exception):
    """It is not there now, or ended before it had answered."""


class Companion:
    """See the module.

    Args:
        making: what all processes of the run share.
        name: of its actor, behind the prefix.
        factory, config: what it is made from.
        came: is told when a process has begun, and on each one that is found anew.
        sleep: waits a number of seconds.
        where: says where the next one is to be made; on the run's node when not given.
        settled: is told the node where one has begun, of those that have a choice.

    Attributes:
        node: where it is, as far as is known; "" when not, or where there is no choice.
    """

    def __init__(
        self,
        making: Making,
        name: str,
        factory: str,
        config: bytes,
        came: Callable[[], object] = lambda: None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        where: Callable[[], Awaitable[Where]] | None = None,
        settled: Callable[[str], object] = lambda node: None,
    ) -> None:
        self._where = where
        self._settled = settled
        self.node = ""
        self._making = making
        self._name = name
        self._factory = factory
        self._config = config
        self._came = came
        self._sleep = sleep
        self._handle: Any = None
        self._finding: asyncio.Task[Any] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self.pid = 0
        self.deaths = 0

    @property
    def name(self) -> str:
        """Of its actor, as Ray knows it."""
        return self._making.prefix + self._name

    @property
    def kept(self) -> bool:
        """This host keeps it."""
        return self._keeping is not None

    def keep(self, ours: bool) -> None:
        """This host keeps it from now on, or not any more."""
        if ours and self._keeping is None:
            self._keeping = asyncio.create_task(self._keep(), name=f"keep {self._name}")
        elif not ours and self._keeping is not None:
            self._keeping.cancel()
            self._keeping = None
            self.pid = 0

    @property
    def near(self) -> bool:
        """It is on the run's node, for all that is known."""
        return self._where is None or self.node == self._making.node

    async def find(self) -> None:
        """Return when it is known where it is.

        Raises:
            CompanionAway: it is not there.
        """
        await self._found()

    async def call(self, method: str, arguments: bytes = b"", group: str = "") -> bytes:
        """Ask it.

        Args:
            method, arguments: what.
            group: of Ray's threads that the call waits on, "" for the usual.

        Raises:
            CompanionAway: it is not there; whether it has done it is not known.
            CallRefused: what it said instead.
        """
        handle = await self._found()
        ask = handle.call.options(concurrency_group=group) if group else handle.call
        try:
            answer: bytes = await asyncio.wrap_future(ask.remote(method, arguments).future())
        except actor_error() as error:
            self._lost(handle)
            raise CompanionAway(f"{self._name} ended: {type(error).__name__}") from error
        return value_of(answer)

    async def aclose(self) -> None:
        """Keep it no more; it lives on."""
        tasks = [task for task in (self._keeping, self._finding) if task is not None]
        self._keeping = self._finding = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---- finding ------------------------------------------------------------------------------
    async def _found(self) -> Any:
        if self._handle is not None:
            return self._handle
        if self._finding is None:
            self._finding = asyncio.create_task(self._find())
            self._finding.add_done_callback(self._looked)
        handle = await asyncio.shield(self._finding)
        if handle is None:
            raise CompanionAway(f"{self._name} is not there now")
        return handle

    async def _find(self) -> Any:
        ray = module("ray")
        try:
            async with asyncio.timeout(FIND_S_MAX):
                handle = await aside(
                    lambda: ray.get_actor(self.name, namespace=self._making.namespace)
                )
                if self._where is None:
                    return handle
                beat: bytes = await handle.beat.options(concurrency_group=BEATS).remote()
        except (ValueError, TimeoutError, ray_error()):
            return None
        self.node = msgspec.msgpack.decode(beat, type=Beat).node or self._making.node
        return handle

    def _lost(self, handle: Any) -> None:
        if self._handle is handle:
            self._handle, self.node = None, ""

    def _looked(self, finding: asyncio.Task[Any]) -> None:
        self._finding = None
        if not finding.cancelled() and finding.exception() is None:
            handle = finding.result()
            if handle is not None and self._handle is None:
                self._handle = handle
                self._came()

    # ---- keeping ------------------------------------------------------------------------------
    async def _keep(self) -> None:
        pause_s = BACKOFF_FIRST_S
        loop = asyncio.get_running_loop()
        while True:
            since = loop.time()
            reason = await self._attended()
            self.deaths += 1
            log.warning("%s is made anew: %s", self._name, reason)
            if loop.time() - since > STEADY_S:
                pause_s = BACKOFF_FIRST_S
            await self._sleep(pause_s * (1 + random.random()) / 2)
            pause_s = min(2 * pause_s, BACKOFF_MAX_S)

    async def _attended(self) -> str:
        """Have a process and watch it; returns why there is none any more."""
        try:
            actor = await self._present() or await self._made()
        except (NotMade, CallRefused, OSError) as error:
            return str(error)
        except ValueError as error:  # another host has made it, or ended while it was at it
            adopted = await named(self._making, self._name)
            if adopted is None:
                return str(error).partition("\n")[0]
            actor = adopted
        refused = ""
        async with running(actor.watch(_heard)), running(self._opened(actor)) as opening:
            async with running(wait_first(actor.ended, actor.silent)) as over:
                await asyncio.wait((opening, over), return_when=asyncio.FIRST_COMPLETED)
            refused = opening.result() if opening.done() else ""
            if not refused:
                await wait_first(actor.ended, actor.silent)
        self.pid = 0
        self._lost(actor.handle)
        silent = actor.alive
        await actor.kill()
        if refused:
            return refused
        if silent:
            return "it gave no sign of life"
        return actor.reason(Path(self._making.scratch))

    async def _opened(self, actor: Actor) -> str:
        """Have it begin; why it does not, or ""."""
        try:
            if await actor.call("open") is None:
                return ""
        except CallRefused as refused:
            return str(refused)
        self._handle = actor.handle
        self.pid = actor.pid
        if self._where is not None:
            self.node = actor.last.node or self._making.node
            self._settled(self.node)
        self._came()
        return ""

    async def _made(self) -> Actor:
        """A new one, unless it is somewhere else still."""
        if self._where is None:
            return await made(self._making, self._name, self._factory, self._config)
        there = await named(self._making, self._name)
        if there is not None:
            return there
        place = await self._where()
        return await made(self._making, self._name, self._factory, place.config, place.node)

    async def _present(self) -> Actor | None:
        """The process that an earlier keeper has made."""
        actor: Actor | None = None
        for member in members.present(Path(self._making.scratch)):
            if member.name == self.name and actor is None:
                actor = await found(self._making, member.name, member.peer)
            else:
                with contextlib.suppress(OSError):
                    os.close(member.peer.pidfd)
        return actor


def _heard(actor: Actor, beat: Beat) -> None:
    """That it lives is all that is of interest."""
