"""Queries of a view that may live on another node: read here where its file is, else asked there.

Only when the cluster has nodes for views (`actorkalix run --view-nodes`). Where the view is says
its process, which has to be found first; a file that lies here from before counts for nothing. A
query whose process ends is asked of the next one, within its time. A stream that has begun ends
with AK3012 then, and its reader goes on from the last mark that it has.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from datetime import timedelta

from actorkalix.engine.action import Elements
from actorkalix.errors import ActorkalixError, ViewIncomplete
from actorkalix.failures import failure_of
from actorkalix.limits import Limits
from actorkalix.runtime.far_asking import FarQueries, Lost
from actorkalix.runtime.until import Until
from actorkalix.runtime.view_queries import ViewRunner
from actorkalix_cluster.rayhost.companion import CompanionAway
from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.clock import Clock
from actorkalix_cluster.shardhost.messages import Message, Reply

log = logging.getLogger("actorkalix.views")

AGAIN_S = 0.1  # between two looks for a process that is not there
GRACE_MS = 500  # the process says itself that a query is too slow, if it can


class WhereverRunner:
    """See the module; answers as a `ViewRunner`.

    Args:
        view: its id.
        near: reads the file here.
        far: asks the process.
        is_near: whether the process is on this node, for all that is known.
        find: returns when that is known; raises `CompanionAway`.
        clock: whose time deadlines are in.
        limits: of the service.
        sleep: waits a number of seconds.
    """

    def __init__(
        self,
        view: str,
        near: ViewRunner,
        far: FarQueries,
        is_near: Callable[[], bool],
        find: Callable[[], Awaitable[None]],
        clock: Clock,
        limits: Limits,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._view = view
        self._near = near
        self._far = far
        self._is_near = is_near
        self._find = find
        self._clock = clock
        self._timeout_ms = (limits.view_query_timeout + limits.view_wait_timeout) // timedelta(
            milliseconds=1
        )
        self._sleep = sleep
        self._failed: dict[str, int] = {}

    @property
    def failed(self) -> Mapping[str, int]:
        """Queries that were not answered with a value, by the number of the error."""
        found = dict(self._near.failed)
        for number, count in self._failed.items():
            found[number] = found.get(number, 0) + count
        return found

    def begin(self, message: Message) -> Reply | None:
        """The answer, if it is a small one from here; None when it takes a task."""
        return self._near.begin(message) if self._is_near() else None

    async def run(self, message: Message, elements: Elements | None = None, /) -> Reply:
        """The answer.

        Cancellation: it is dropped wherever it is.
        """
        try:
            with Until(self._clock, self._left_ms(message) + GRACE_MS):
                while True:
                    await self._found()
                    if self._is_near():
                        return await self._near.run(message, elements)
                    with suppress(Lost):
                        return self._counted(await self._far.ask(message))
                    await self._sleep(AGAIN_S)
        except TimeoutError:
            return self._refused(self._away("it does not answer"))
        except ActorkalixError as error:
            return self._refused(error)

    async def stream(
        self, message: Message, elements: Elements | None = None, /
    ) -> AsyncGenerator[Reply]:
        """The elements of an answer; a failure is the last."""
        until_ms = self._clock.now_ms() + self._left_ms(message)
        begun = False
        try:
            while True:
                with Until(self._clock, max(0, until_ms - self._clock.now_ms())):
                    await self._found()
                if self._is_near():
                    replies = self._near.stream(message, elements)
                else:
                    replies = self._far.stream(message)
                try:
                    async with aclosing(replies):
                        async for reply in replies:
                            begun = True
                            yield reply if self._is_near() else self._counted(reply)
                    return
                except Lost:
                    if begun or self._clock.now_ms() >= until_ms:
                        raise
                await self._sleep(AGAIN_S)
        except (Lost, TimeoutError) as error:
            yield self._refused(self._away(str(error) or "it does not answer"))
        except ActorkalixError as error:
            yield self._refused(error)
        except Exception:
            log.exception("a bug of actorkalix, correlation id %s", message.correlation_id)
            yield Reply(failure=failures.bug(message.correlation_id))

    async def _found(self) -> None:
        """Return when it is known where the view is."""
        while True:
            with suppress(CompanionAway):
                await self._find()
                return
            await self._sleep(AGAIN_S)

    def _left_ms(self, message: Message) -> int:
        left_ms = self._timeout_ms
        if message.deadline_ms:
            left_ms = min(left_ms, message.deadline_ms - self._clock.now_ms())
        return max(0, left_ms)

    def _away(self, why: str) -> ViewIncomplete:
        return ViewIncomplete(f"the process of the view {self._view!r} is away: {why}")

    def _counted(self, reply: Reply) -> Reply:
        if reply.failure is not None:
            number = reply.failure.number
            self._failed[number] = self._failed.get(number, 0) + 1
        return reply

    def _refused(self, error: ActorkalixError) -> Reply:
        return self._counted(Reply(failure=failure_of(error)))
