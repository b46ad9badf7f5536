"""What is new in a view's file: whoever waits for a change of it waits here.

A file says by a number (`PRAGMA data_version`) whether another connection has changed it. Reading
that number takes some microseconds, so it is looked at every few milliseconds while somebody waits,
and not at all otherwise. In a process that writes the file itself, `poke` tells at once.

Used from one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from actorkalix.errors import ViewIncomplete

LOOK_EVERY_S = 0.005
"""A tenth of the lag that a view is to keep to (50 ms); 0.1 % of a core while somebody waits."""


class Watcher:
    """See the module.

    Args:
        version: the number; raises ViewIncomplete while there is no file.
        look_every_s: between two looks; 0 looks never, for then `poke` tells all.
        sleep: waits a number of seconds.
    """

    def __init__(
        self,
        version: Callable[[], object],
        look_every_s: float = LOOK_EVERY_S,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._version = version
        self._every_s = look_every_s
        self._sleep = sleep
        self._known: object = None
        self._waiting = 0
        self._changed = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self.number = 0

    def look(self) -> int:
        """How often the file has changed, as far as was looked; looks now."""
        with contextlib.suppress(ViewIncomplete):
            self._look()
        return self.number

    async def beyond(self, number: int) -> None:
        """Return when it has changed since `look` gave this number."""
        self._waiting += 1
        try:
            if self._every_s and self._looking is None:
                self._looking = asyncio.create_task(self._look_on(), name="view-watch")
            while self.number <= number:
                self._changed.clear()
                await self._changed.wait()
        finally:
            self._waiting -= 1
            if not self._waiting and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    def poke(self) -> None:
        """It has changed."""
        self.number += 1
        self._changed.set()

    async def aclose(self) -> None:
        """Look no more."""
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def _look_on(self) -> None:
        while True:
            await self._sleep(self._every_s)
            with contextlib.suppress(ViewIncomplete):  # it comes, or is another one, later
                self._look()

    def _look(self) -> None:
        found = self._version()
        if found != self._known:
            self._known = found
            self.poke()
