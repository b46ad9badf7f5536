"""Times that follow from records: expiry, and cleanup after delete.

Theory of operation. The store knows what is due; nothing is kept here but when to look next. Due
times are read `look_ahead_ms` ahead, so that they fire on time though the store is asked rarely;
times that are written meanwhile are told by `due_at`. Firing is a message to the actor like any
other: the behavior looks whether its time has really come and writes what follows, so a firing
that is lost, late or twice does no harm. What could not be handled now (load, a full disk) is
still due at the next look; what is of a blocked component waits for the next start.

Actors that have something done when they are due (named timers, workflows: `behavior.fires`) are
due in the same way; their firings take longer than a look may and are begun here alone (`firing`),
timers' and others apart, for a step may take minutes.

The cleaner walks over what was deleted long enough ago and asks the guard about each; what must
stay is met again at the next run.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, TypeVar

from actorkalix_cluster.shardhost.behavior import Behavior, fires
from actorkalix_cluster.shardhost.clock import Handle
from actorkalix_cluster.shardhost.committer import read
from actorkalix_cluster.shardhost.fired import TIMER
from actorkalix_cluster.shardhost.firing import RETRY_MS, Firings, Reach
from actorkalix_cluster.shardhost.guard import reason_to_keep
from actorkalix_cluster.shardhost.messages import Message, MessageKind, Reply
from actorkalix_cluster.shardhost.parts import Parts
from actorkalix_cluster.shardhost.ticket import Ticket
from actorkalix_storage.api import Due, Position, TimerKind

T = TypeVar("T")
log = logging.getLogger("actorkalix.timers")

PAGE = 256  # due subjects at once; they are messages in flight like any other
ROWS_MAX = 4_096  # read in one look; who expires behind as many that must wait is late, no more
GAP_MS = 5  # from look to look for what was written: each reads a page, and late is not early
FAR_MS = 1 << 62
Consumers = Callable[[int], Mapping[str, Position]]


class Timers:
    """Looks at what is due and sends it to whom it concerns."""

    def __init__(
        self,
        parts: Parts,
        send: Callable[[Message], Ticket],
        behaviors: Mapping[str, Behavior[Any]],
        consumers: Consumers,
    ) -> None:
        self._store = parts.store
        self._committer = parts.committer
        self._clock = parts.clock
        self._limits = parts.limits
        self._off = parts.watch.off
        self._send = send
        self._components = frozenset(behaviors)
        self._consumers = consumers
        calls = Firings(parts, send, self.due_at, parts.limits.firings_max)
        steps = Firings(parts, send, self.due_at, parts.limits.steps_max)
        self._kinds = (calls, steps)
        self._firings = {
            component: calls if component == TIMER else steps
            for component, behavior in behaviors.items()
            if fires(behavior)
        }
        self._look: Handle | None = None
        self._look_at_ms = 0
        self._begun_ms = -GAP_MS  # the newest look
        self._page = PAGE  # of due times; it grows while pages are full
        self._told_ms = FAR_MS
        self._clean: Handle | None = None
        self._tasks: set[asyncio.Task[int]] = set()
        self._stopped = False

    def start(self) -> None:
        """Begin, with all that became due while nobody looked."""
        self._begin_looking()
        self._begin_cleaning()

    def connect(self, reach: Reach) -> None:
        """Calls can leave the host: named timers and workflows fire from now on."""
        for each in self._kinds:
            each.connect(reach)

    def stop(self) -> None:
        """Send nothing more."""
        self._stopped = True
        for each in self._kinds:
            each.stop()
        for handle in (self._look, self._clean):
            if handle is not None:
                handle.cancel()
        for task in self._tasks:
            task.cancel()

    @property
    def busy(self) -> bool:
        """A look, a run of the cleaner, a call of a timer or a step is under way."""
        return bool(self._tasks or any(self._kinds))

    # ---- expiry -------------------------------------------------------------------------------
    def written(self, component: str, at_ms: int) -> None:
        """A record was written whose time comes then."""
        firings = self._firings.get(component)
        if firings is None or firings.wanted:
            self.due_at(max(at_ms, self._begun_ms + GAP_MS))

    def fire(self, component: str, entity: str) -> None:
        """A record was written by which something of an actor is due at once."""
        self._firings[component].fire((component, entity))

    def halt(self, component: str, entity: str) -> None:
        """A record was written after which nothing counts that the actor had given out."""
        self._firings[component].halt((component, entity))

    def due_at(self, at_ms: int) -> None:
        """There is something to look for then."""
        self._told_ms = min(self._told_ms, at_ms)
        if self._look is not None and at_ms < self._look_at_ms:
            self._look_at(at_ms)

    def _look_at(self, at_ms: int) -> None:
        if self._look is not None:
            self._look.cancel()
        self._look_at_ms = at_ms
        # Bounded: a clock that was set back is set right again some time.
        delay_ms = min(max(0, at_ms - self._clock.now_ms()), self._limits.look_ahead_ms)
        self._look = self._clock.call_later(delay_ms, self._begin_looking)

    def _begin_looking(self) -> None:
        self._look = None
        self._begun_ms = self._clock.now_ms()
        self._told_ms = FAR_MS  # what was told until now is durable, so the store tells it as well
        self._run(self._expire(), self._looked)

    def _looked(self, next_ms: int | None) -> None:
        if next_ms is None:
            next_ms = self._clock.now_ms() + RETRY_MS
        self._look_at(min(next_ms, self._told_ms))

    async def _expire(self) -> int:
        """Fire what is due; return when to look again."""
        now_ms = self._clock.now_ms()
        until_ms = now_ms + self._limits.look_ahead_ms
        page = self._page
        limit = page + sum(map(len, self._kinds))  # those are due as well
        due = await self._due(TimerKind.EXPIRY, until_ms, self._waits, limit, ROWS_MAX)
        ripe = [d for d in due if d.at_ms <= now_ms]
        self._page = min(2 * page, ROWS_MAX) if len(ripe) >= page else PAGE
        for each in self._kinds:
            mine = (d for d in ripe if self._firings.get(d.component) is each)
            each.begin((d.component, d.entity) for d in mine)
        others = [d for d in ripe if d.component not in self._firings]
        replies = await self._tell(MessageKind.EXPIRE, others[:PAGE])
        if any(reply.failure is not None for reply in replies):
            return now_ms + RETRY_MS
        if others[PAGE:] or (len(ripe) >= page and not any(each.full for each in self._kinds)):
            return now_ms
        return min((d.at_ms for d in due if d.at_ms > now_ms), default=until_ms)

    def _waits(self, due: Due) -> bool:
        firings = self._firings.get(due.component)
        return firings is None or firings.may_begin((due.component, due.entity))

    # ---- cleanup ------------------------------------------------------------------------------
    def _begin_cleaning(self) -> None:
        self._run(self._clean_deleted(), self._cleaned)

    def _cleaned(self, count: int | None) -> None:
        if count:
            log.info("cleaned %d deleted entities", count)
        self._clean = self._clock.call_later(self._limits.clean_every_ms, self._begin_cleaning)

    async def _clean_deleted(self) -> int:
        """Clean what may go; return how many did."""
        seen: set[tuple[str, str]] = set()
        cleaned = 0
        while True:
            until_ms = self._clock.now_ms() - self._limits.retention_ms
            page = await self._due(
                TimerKind.CLEANUP, until_ms, lambda d: (d.component, d.entity) not in seen
            )
            if not page:
                return cleaned
            seen.update((each.component, each.entity) for each in page)
            free = [each for each in page if await self._may_go(each)]
            replies = await self._tell(MessageKind.CLEAN, free)
            cleaned += sum(reply.failure is None for reply in replies)

    async def _may_go(self, due: Due) -> bool:
        head = await self._read(lambda: self._store.head(due.shard, due.component, due.entity))
        if head is None:
            return False
        reason = reason_to_keep(
            head,
            self._store.identity.lineage,
            self._consumers(due.shard),
            now_ms=self._clock.now_ms(),
            keys_kept_ms=self._limits.keys_kept_ms,
        )
        if reason:
            log.debug("%s %r is not cleaned: %s", due.component, due.entity, reason)
        return not reason

    # ---- both ---------------------------------------------------------------------------------
    async def _due(
        self,
        kind: TimerKind,
        up_to_ms: int,
        wanted: Callable[[Due], bool],
        limit: int = PAGE,
        limit_max: int = FAR_MS,
    ) -> list[Due]:
        """The earliest that are wanted and known here; [] when there are none."""
        while True:
            found = await self._read(partial(self._store.due, kind, up_to_ms, limit))
            served = self._components.difference(self._off)
            ours = [d for d in found if d.component in served]
            known = [d for d in ours if wanted(d)]
            if known or len(found) < limit or (ours and limit >= limit_max):
                return known
            limit *= 2

    async def _tell(self, kind: MessageKind, due: list[Due]) -> list[Reply]:
        tickets = [self._send(Message(kind, each.component, each.entity)) for each in due]
        return [await ticket.wait() for ticket in tickets]

    async def _read(self, job: Callable[[], T]) -> T:
        return await read(self._committer, job)

    def _run(self, work: Coroutine[Any, Any, int], after: Callable[[int | None], None]) -> None:
        """Do this in a task of its own, then `after` with its result, or None when it failed."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)

        def ended(task: asyncio.Task[int]) -> None:
            self._tasks.discard(task)
            if self._stopped or task.cancelled():
                return
            error = task.exception()
            if error is not None:
                log.error("due times could not be handled", exc_info=error)
            after(None if error is not None else task.result())

        task.add_done_callback(ended)
