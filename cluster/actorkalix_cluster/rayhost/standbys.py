"""Standbys: processes with their imports done, each ready to become the host of any store.

Making one takes a second or two of a processor; opening a store takes milliseconds. So while all
stores are served one standby is kept ahead, and a killed host is replaced in the time that it takes
to open its store. As long as stores wait, as many are being made as wait, `MAKING_MAX` at a time.

A standby that dies or falls silent is replaced; making one fails for good after `FAILURES_MAX` in a
row.
"""

from __future__ import annotations

import asyncio
import collections
import itertools
import os
from collections.abc import Callable, Coroutine
from typing import Any

from actorkalix_cluster.rayhost.actors import Actor, Making, NotMade, made, wait_first
from actorkalix_cluster.rayhost.contract import Beat, CallRefused

MAKING_MAX = max(1, os.cpu_count() or 1)
FAILURES_MAX = 5


class NoStandby(Exception):
    """There is no use in making another one.

    Attributes:
        number: of the error's page, where the process gave one.
    """

    def __init__(self, message: str, number: str = "") -> None:
        super().__init__(message)
        self.number = number


class Standbys:
    """See the module. Used from one event loop.

    Args:
        making: what all processes share.
        factory, config: what a standby is made of.
        spawn: runs work in the background, under a name.
        seen: is told of signs of life of all that were made here.
    """

    def __init__(
        self,
        making: Making,
        factory: str,
        config: bytes,
        spawn: Callable[[Coroutine[Any, Any, None], str], object],
        seen: Callable[[Actor, Beat], object],
    ) -> None:
        self._making = making
        self._factory = factory
        self._config = config
        self._spawn = spawn
        self._seen = seen
        self._numbers = itertools.count(1)
        self._ready: collections.deque[Actor] = collections.deque()
        self._waiting: collections.deque[asyncio.Future[Actor]] = collections.deque()
        self._ahead = 0
        self._being_made = 0
        self._failures = 0
        self._closed = False

    @property
    def ready(self) -> list[Actor]:
        """Those that wait for a store."""
        return [actor for actor in self._ready if actor.alive and not actor.silent.is_set()]

    def keep_ahead(self, count: int) -> None:
        """From now on so many are made beyond those that are asked for."""
        self._ahead = count
        self._make_more()

    def adopt(self, actor: Actor) -> None:
        """Take one over that somebody else has made."""
        self.attend(actor)
        self._spawn(self._mourn(actor), f"mourn {actor.name}")
        self._offer(actor)

    def put_first(self, actor: Actor) -> None:
        """Give back what was taken; the next one who asks gets it."""
        self._ready.appendleft(actor)

    def attend(self, actor: Actor) -> None:
        """Watch a process for all its life."""
        self._spawn(actor.watch(self._seen), f"watch {actor.name}")

    async def take(self) -> Actor:
        """One that is alive; it is the caller's now.

        Raises:
            NoStandby: and there will be none.
        """
        while self._ready:
            actor = self._ready.popleft()
            if actor.alive and not actor.silent.is_set():
                self._make_more()
                return actor
        future: asyncio.Future[Actor] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._make_more()
        try:
            return await future
        finally:
            if future in self._waiting:
                self._waiting.remove(future)

    async def close(self) -> None:
        """Kill those that wait; make no more."""
        self._closed = True
        ready, self._ready = list(self._ready), collections.deque()
        for actor in ready:
            await actor.kill()

    # ---- inside -------------------------------------------------------------------------------
    def _make_more(self) -> None:
        wanted = len(self._waiting) + self._ahead - len(self.ready)
        while not self._closed and self._being_made < min(wanted, MAKING_MAX):
            self._being_made += 1
            self._spawn(self._make(), "make a standby")

    async def _make(self) -> None:
        name = f"process-{os.getpid()}-{next(self._numbers)}"
        try:
            actor = await made(self._making, name, self._factory, self._config)
        except (NotMade, CallRefused) as error:
            self._being_made -= 1
            self._failed(error)
            return
        self._being_made -= 1
        self._failures = 0
        if self._closed:
            await actor.kill()
            return
        self.adopt(actor)
        self._make_more()

    def _offer(self, actor: Actor) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(actor)
                return
        self._ready.append(actor)

    def _failed(self, why: NotMade | CallRefused) -> None:
        self._failures += 1
        number = why.number if isinstance(why, CallRefused) else ""
        if isinstance(why, NotMade) and self._failures < FAILURES_MAX:
            self._make_more()
            return
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(NoStandby(str(why), number))

    async def _mourn(self, actor: Actor) -> None:
        """Replace it when it ends or falls silent as long as it waits here."""
        await wait_first(actor.ended, actor.silent)
        if actor in self._ready:
            self._ready.remove(actor)
            await actor.kill()
            self._make_more()
