"""The subjects on which a consumer fails: each waits in its lane and is tried again in its time.

Theory of operation. What a parked lane waits for lies in the store; a try reads it from there and
hands it over entry by entry, until all is handled or the first failure. While the consumer waits as
a whole its failures say nothing of the subject, so they do not count as attempts, and one lane at
most is tried at a time, when the wait is over.

A subscriber with dead letters gives up an entry after `visible_attempts`: it is put away durably,
then the lane goes on with the entry behind it. One that cannot be put away waits on.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Protocol

from actorkalix_cluster.shardhost.ahead import read_ahead
from actorkalix_cluster.shardhost.clock import Clock, Handle
from actorkalix_cluster.shardhost.committer import Committer, read
from actorkalix_cluster.shardhost.cursors import Parked
from actorkalix_cluster.shardhost.gaps import Gaps
from actorkalix_cluster.shardhost.limits import ConsumerLimits
from actorkalix_cluster.shardhost.patience import Patience
from actorkalix_cluster.shardhost.progress import Entry, Lane, LaneState, Progress
from actorkalix_cluster.shardhost.subscriber import Subscriber
from actorkalix_storage.api import Store, StoreError

log = logging.getLogger("actorkalix.consumer")

PutAway = Callable[[Entry, Parked], Awaitable[str]]
"""Makes an entry a dead letter; why that failed, or nothing once it is durable."""


class Runs(Protocol):
    """The consumer that tries."""

    @property
    def gaps(self) -> Gaps:
        """What it has missed."""
        ...

    @property
    def stopped(self) -> bool:
        """It begins nothing more."""
        ...

    @property
    def under_way(self) -> int:
        """Runs that have not ended."""
        ...

    def begin(self, work: Coroutine[Any, Any, None], /) -> None:
        """Run this."""
        ...

    async def attempt(self, entries: Sequence[Entry], /) -> str:
        """Hand entries over; what went wrong, or nothing."""
        ...

    def pause(self, lane: Lane, failure: str, /) -> bool:
        """Take note of a failure; whether the consumer waits as a whole now."""
        ...

    def has(self, progress: Progress, /) -> bool:
        """The shard is still ours."""
        ...


class Retries:
    """See the head of this file. All methods are called on the loop.

    Args:
        runs: the consumer.
        subscriber: who handles entries.
        store: what is parked lies there.
        committer: reads it.
        clock: the host's.
        limits: bounds.
        patience: of the consumer.
        moved: told of each shard whose cursor has moved.
        put_away: makes dead letters.

    Attributes:
        dead: dead letters that were made.
    """

    def __init__(
        self,
        runs: Runs,
        subscriber: Subscriber,
        *,
        store: Store,
        committer: Committer,
        clock: Clock,
        limits: ConsumerLimits,
        patience: Patience,
        moved: Callable[[int], object],
        put_away: PutAway,
    ) -> None:
        self._runs = runs
        self._id = subscriber.consumer
        self._subscriber = subscriber
        self._store = store
        self._committer = committer
        self._clock = clock
        self._limits = limits
        self._patience = patience
        self._moved = moved
        self._put_away = put_away
        self._lanes: dict[Lane, Handle] = {}  # with its next look
        self.dead = 0

    @property
    def lanes(self) -> list[Lane]:
        """Those that are parked."""
        return list(self._lanes)

    def __len__(self) -> int:
        return len(self._lanes)

    def forget(self, lane: Lane) -> None:
        """It is parked no more, or its shard is not ours."""
        look = self._lanes.pop(lane, None)
        if look is not None:
            look.cancel()

    def add(self, lane: Lane) -> None:
        """Try a parked lane again when its time has come."""
        assert lane.parked is not None, "only what is parked is tried again"
        wait_ms = self._patience.wait_ms(max(1, lane.parked.attempts), lane.subject[1])
        self._after(lane, wait_ms)

    def now(self, entity: str = "") -> int:
        """Try parked lanes now, or as soon as there is room; how many.

        Args:
            entity: those of this entity alone; "" is all.
        """
        wanted = [
            lane
            for lane in self._lanes
            if lane.state is LaneState.PARKED and entity in ("", lane.subject[1])
        ]
        for lane in wanted:
            if self._runs.under_way < self._limits.runs_max:
                self._begin(lane)
            else:
                self._after(lane, self._limits.retry_ms)
        return len(wanted)

    def _after(self, lane: Lane, wait_ms: int) -> None:
        """Look at a lane that much later, and not at the time that was set before."""
        self.forget(lane)
        self._lanes[lane] = self._clock.call_later(wait_ms, lambda: self._due(lane))

    def _due(self, lane: Lane) -> None:
        now_ms = self._clock.now_ms()
        if self._runs.stopped or lane not in self._lanes or lane.state is not LaneState.PARKED:
            return
        paused = self._patience.paused
        waits = paused and (self._runs.under_way > 0 or not self._patience.may_try(now_ms))
        if waits or self._runs.under_way >= self._limits.runs_max:
            self._after(lane, self._limits.retry_ms)
            return
        self._begin(lane)

    def _begin(self, lane: Lane) -> None:
        lane.state = LaneState.RETRYING
        self._runs.begin(self._try(lane))

    async def _try(self, lane: Lane) -> None:
        try:
            await self._handle(lane)
        except StoreError as error:
            shard = lane.progress.shard
            log.error(
                "%s cannot read shard %d for %s %r: %s", self._id, shard, *lane.subject, error
            )
            lane.state = LaneState.PARKED
            if self._runs.has(lane.progress):
                self.add(lane)

    async def _handle(self, lane: Lane) -> None:
        """Handle what waits in the store for a parked lane."""
        assert lane.parked is not None, "only what is parked is tried again"
        progress, after = lane.progress, lane.parked.offset - 1
        shard, subject, page = progress.shard, lane.subject, self._limits.page
        folds, covered = bool(self._subscriber.folds), False
        while not self._runs.stopped:
            lane.news = False
            up_to = progress.read.offset
            begins = folds and not lane.parked.version
            ahead = partial(read_ahead, self._store, shard, subject, after, up_to)
            found = await read(self._committer, partial(ahead, limit=page, folds=begins))
            entries, after = found.entries, found.through
            covered = found.covered or (covered and not entries)
            if not self._runs.has(progress):
                return
            self._runs.gaps.retried(lane.parked, entries)
            for entry in entries:
                wanted = self._subscriber.wants(entry.record)
                failure = await self._runs.attempt([entry]) if wanted else ""
                if failure and self._runs.has(progress):
                    failure = await self._failed(lane, entry, failure)
                if not self._runs.has(progress):
                    return
                if failure:
                    self.add(lane)
                    return
                progress.retried(lane, entry, entry.position.offset + 1)
                self._moved(shard)
            if after >= up_to and covered:
                lane.state = LaneState.PARKED
                self.add(lane)  # its snapshot is newer than what was read so far
                return
            if after >= up_to and progress.caught_up(lane):
                self.forget(lane)
                self._moved(shard)
                log.info("%s goes on with %s %r", self._id, *subject)
                return

    async def _failed(self, lane: Lane, entry: Entry, failure: str) -> str:
        """A try has failed; the failure with which the lane waits on, or nothing."""
        progress, paused = lane.progress, self._runs.pause(lane, failure)
        parked = progress.failed_again(lane, failure, self._clock.now_ms(), 0 if paused else 1)
        self._moved(progress.shard)
        most = self._limits.visible_attempts
        if paused or parked.attempts < most:
            return failure
        if self._subscriber.dead_letters:
            said = await self._put_away(entry, parked)
            if not said:
                self.dead += 1
                return ""
            log.error("%s cannot put away %s %r: %s", self._id, *lane.subject, said)
        elif parked.attempts % most == 0:
            log.error(
                "%s fails on %s %r, %d times now: %s",
                *(self._id, *lane.subject, parked.attempts, failure),
            )
        return failure
