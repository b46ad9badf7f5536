"""One consumer of a host: what lands in its shards goes to its handler, in order per subject.

Theory of operation. Entries come as they land, or are read from the store where the consumer is
behind; `progress` sorts them into lanes. A *run* hands entries of a lane to the subscriber, or of
several lanes at once where it takes batches; at most `runs_max` are under way. A batch that fails
is handled entry by entry, so that only what is at fault waits.

    the subscriber              the subject                      the others
    handles the entry           goes on                          go on
    fails on it                 is parked: tried again after     go on
                                3 s, 6 s … 30 s, without end
    fails on `pause_after`      those that failed before are     wait: one after the other is tried,
      in a row, none handled    parked, later ones wait in       3 s … 30 s apart, and when one is
      in between                their lanes, nothing counted     handled all go on

Both are `Retries`' work, and so is giving an entry up where the subscriber has dead letters.

A consumer that blocks (`pause_after` of 1) parks nothing: the first failure stops it until that
very entry is handled, as Kalix does it.

What is under way when the process dies is handled again: at least once. What handlers do to actors
of ours happens once all the same, for the keys of their calls are derived (`outgoing`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from actorkalix_cluster.shardhost.clock import Clock
from actorkalix_cluster.shardhost.committer import Committer
from actorkalix_cluster.shardhost.consumer_reading import Page, next_page
from actorkalix_cluster.shardhost.cursors import Cursor
from actorkalix_cluster.shardhost.folding import Folding
from actorkalix_cluster.shardhost.gaps import Gaps
from actorkalix_cluster.shardhost.limits import ConsumerLimits
from actorkalix_cluster.shardhost.lists import list_of
from actorkalix_cluster.shardhost.observer import ConsumerStats
from actorkalix_cluster.shardhost.patience import Patience
from actorkalix_cluster.shardhost.progress import Entry, Lane, LaneState, Progress
from actorkalix_cluster.shardhost.retries import PutAway, Retries
from actorkalix_cluster.shardhost.subscriber import Subscriber, reason_of
from actorkalix_storage.api import Position, Store

log = logging.getLogger("actorkalix.consumer")


class Consumer:
    """See the head of this file. All methods are called on the loop.

    Args:
        subscriber: handles the entries.
        store: whose log is read.
        committer: reads it.
        clock: the host's.
        limits: bounds.
        moved: told of each shard whose cursor has moved.
        put_away: makes dead letters of entries.

    Attributes:
        id: the consumer's.
        wants: whether it wants a record.
        progress: by shard.
        handled, failures: entries that were handled; times that it failed.
        failure, failed_ms: the last of them and its time; "" and 0 while there was none.
        gaps: what it has missed.
        retries: what is parked.
    """

    def __init__(
        self,
        subscriber: Subscriber,
        *,
        store: Store,
        committer: Committer,
        clock: Clock,
        limits: ConsumerLimits,
        moved: Callable[[int], object],
        put_away: PutAway,
    ) -> None:
        self.id, self.wants = subscriber.consumer, subscriber.wants
        self.progress: dict[int, Progress] = {}
        self.handled = self.failures = self.failed_ms = 0
        self.failure = ""
        self.gaps = Gaps(subscriber)
        self._subscriber = subscriber
        self._store = store
        self._committer = committer
        self._clock = clock
        self._limits = limits
        self._patience = Patience(1 if subscriber.blocks else limits.pause_after, limits)
        self._runs_max = 1 if subscriber.blocks else limits.runs_max
        self._moved = moved
        self._ready: deque[Lane] = deque()
        self._behind: dict[int, None] = {}
        self._waiting = self._reads = 0  # weight of the entries in memory; reads under way
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._stopped = False
        self.retries = Retries(
            self,
            subscriber,
            store=store,
            committer=committer,
            clock=clock,
            limits=limits,
            patience=self._patience,
            moved=moved,
            put_away=put_away,
        )

    # ---- what there is ------------------------------------------------------------------------
    @property
    def busy(self) -> bool:
        """Something is under way, or could be: not what waits for its time."""
        more = bool(self._ready or self._behind) and self._patience.may_try(self._clock.now_ms())
        return bool(self._tasks or self._reads or more)

    @property
    def caught_up(self) -> bool:
        """All that it wants of what has landed is handled, nothing is parked."""
        return all(each.synced and not each.lanes for each in self.progress.values())

    @property
    def stopped(self) -> bool:
        """It begins nothing more."""
        return self._stopped

    @property
    def under_way(self) -> int:
        """Runs that have not ended."""
        return len(self._tasks)

    def stats(self) -> ConsumerStats:
        """A look at it."""
        applied = self._store.applied
        behind = sum(each.behind(applied(shard)) for shard, each in self.progress.items())
        return ConsumerStats(
            *(self.id, len(self.progress), behind, self._waiting, len(self.retries)),
            self._patience.resume_ms if self._patience.paused else 0,
            *(self.handled, self.failures, self.retries.dead, self.failure, self.failed_ms),
            *(self.gaps.count, self.gaps.last),
        )

    def retry(self, entity: str = "") -> int:
        """Try parked subjects now, and end a wait as a whole; how many subjects that are.

        Args:
            entity: those of this entity alone; "" is all.
        """
        count = self.retries.now(entity)
        self._patience.resume_ms = 0
        self._pump()
        return count

    # ---- what comes ---------------------------------------------------------------------------
    def attach(self, shard: int, cursor: Cursor | None) -> None:
        """Begin with a shard, where its cursor stands."""
        state = self._store.shard(shard)
        newest = state.position
        start = newest if self._subscriber.from_now else Position(newest.lineage, 0, 0)
        folding = Folding(self._store) if self._subscriber.folds else None
        progress = self.progress[shard] = Progress(shard, self.id, cursor, start, folding)
        for lane in progress.lanes.values():
            self.retries.add(lane)
        if progress.moved:
            self._moved(shard)
        last = self._subscriber.nothing_after(state)
        if last is not None and last <= progress.read.offset:
            progress.skip(newest)
            return
        self._behind[shard] = None
        self._fill()

    def detach(self, shard: int) -> None:
        """The shard is not ours any more."""
        progress = self.progress.pop(shard, None)
        if progress is None:
            return
        self._behind.pop(shard, None)
        self.gaps.end(shard)
        self._waiting -= progress.weight
        for lane in progress.lanes.values():
            self.retries.forget(lane)
        self._ready = deque(lane for lane in self._ready if lane.progress is not progress)

    def landed(self, shard: int, entries: list[Entry], through: Position) -> None:
        """These wanted entries have landed, with records up to `through`; maybe none is wanted."""
        progress = self.progress.get(shard)
        if progress is None or not progress.synced:
            return
        if self._waiting >= self._limits.entries_max:
            progress.synced = False
            self._behind[shard] = None
            return
        self._take(progress, entries, through)
        self._pump()

    def _take(self, progress: Progress, entries: list[Entry], through: Position) -> None:
        new = [entry for entry in entries if entry.position.offset > progress.read.offset]
        before = progress.weight
        if through.offset > progress.read.offset:
            self._ready.extend(progress.take(new, through))
        self._waiting += progress.weight - before
        if not progress.moved and progress.skipped() > self._limits.skipped_max:
            progress.moved = 1
            self._moved(progress.shard)

    # ---- reading ------------------------------------------------------------------------------
    def _fill(self) -> None:
        limits = self._limits
        while (
            self._behind
            and not self._stopped
            and self._reads < limits.reads_max
            and self._waiting + self._reads * limits.page < limits.entries_max
        ):
            del self._behind[shard := next(iter(self._behind))]
            progress = self.progress[shard]
            self._reads += 1
            what = (shard, progress.read.offset, limits.page, progress.folding)
            page = partial(next_page, self._store, self._subscriber, *what)
            self._committer.read(page, partial(self._filled, progress))

    def _filled(self, progress: Progress, found: Page | Exception) -> None:
        self._reads -= 1
        shard = progress.shard
        if self._stopped or not self.has(progress):
            return
        if isinstance(found, Exception):
            log.error("%s cannot read shard %d: %s", self.id, shard, found)
            self._clock.call_later(self._limits.retry_ms, lambda: self._read_again(progress))
            return
        records, wanted, newest, whole = found
        # What landed between its two looks is among the records and beyond `newest`.
        last = records[-1].position if records else newest
        through = newest if whole and newest.offset > last.offset else last
        self.gaps.read(shard, progress.read.offset, records, whole)
        self._take(progress, wanted, through)
        if not whole or self._store.applied(shard).offset > progress.read.offset:
            self._behind[shard] = None
        else:
            progress.is_at_end()
            if progress.moved:
                self._moved(shard)
        self._pump()

    def has(self, progress: Progress, /) -> bool:
        """The shard is still ours."""
        return self.progress.get(progress.shard) is progress

    def _read_again(self, progress: Progress) -> None:
        if self.has(progress):
            self._behind[progress.shard] = None
            self._fill()

    # ---- runs ---------------------------------------------------------------------------------
    def _pump(self) -> None:
        """Begin what can be begun."""
        while self._ready and not self._stopped and len(self._tasks) < self._runs_max:
            paused = self._patience.paused
            if paused and (self._tasks or not self._patience.may_try(self._clock.now_ms())):
                return
            if self._subscriber.batch_max > 1 and not paused:
                self.begin(self._run_batch(self._next_lanes()))
            else:
                lane = self._ready.popleft()
                lane.state = LaneState.RUNNING
                self.begin(self._run(lane))
        self._fill()

    def _next_lanes(self) -> list[Lane]:
        """Lanes with as many entries as one batch has, or some more."""
        lanes: list[Lane] = []
        count = 0
        while self._ready and count < self._subscriber.batch_max:
            lane = self._ready.popleft()
            lane.state = LaneState.RUNNING
            count += len(lane.entries)
            lanes.append(lane)
        return lanes

    def begin(self, work: Coroutine[Any, Any, None], /) -> None:
        """Run this; when it ends there is room for others."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a bug of actorkalix in consumer %s", self.id, exc_info=error)
        self._pump()

    async def _run(self, lane: Lane) -> None:
        """Handle entries of one lane, one after the other, until the consumer has to wait."""
        for number in range(self._limits.run_entries_max):
            if not lane.entries or self._stopped or (number and self._patience.paused):
                break
            failure = await self.attempt([lane.entries[0]])
            if not self.has(lane.progress):
                return
            if failure:
                self._failed(lane, failure)
                return
            self._handled(lane, 1)
        self._rest(lane)

    async def _run_batch(self, lanes: list[Lane]) -> None:
        """Handle entries of several lanes at once; one by one when that fails."""
        limits = self._limits
        entries, counts = list_of(lanes, self._subscriber.batch_max, limits.batch_bytes_max)
        failure = await self.attempt(entries)
        for lane, count in counts:
            if not self.has(lane.progress):
                continue
            if failure and not self._patience.paused:
                await self._run(lane)
                continue
            if not failure:
                self._handled(lane, count)
            self._rest(lane)

    async def attempt(self, entries: Sequence[Entry], /) -> str:
        """Hand entries over; what went wrong, or nothing."""
        try:
            await self._subscriber.handle(entries)
        except Exception as error:  # whatever it is, it is tried again
            log.debug("%s failed", self.id, exc_info=True)
            self.failures += 1
            self.failed_ms = self._clock.now_ms()
            self.failure = reason_of(error)
            return self.failure
        self.handled += len(entries)
        if self._patience.handled():
            log.warning("%s goes on", self.id)
        return ""

    def _handled(self, lane: Lane, count: int) -> None:
        before = lane.progress.weight
        lane.progress.handled(lane, count)
        self._waiting += lane.progress.weight - before
        self._moved(lane.progress.shard)

    def _rest(self, lane: Lane) -> None:
        if lane.progress.rest(lane):
            self._ready.append(lane)

    # ---- failures -----------------------------------------------------------------------------
    def _failed(self, lane: Lane, failure: str) -> None:
        progress = lane.progress
        many = sum(one.parked is not None for one in progress.lanes.values())
        if self.pause(lane, failure, full=many >= self._limits.parked_max):
            lane.state = LaneState.WAITING
            # To the end: another may be handled. Who blocks stays at what it failed on.
            (self._ready.appendleft if self._subscriber.blocks else self._ready.append)(lane)
            return
        before = progress.weight
        parked = progress.park(lane, failure, self._clock.now_ms())
        self._waiting += progress.weight - before
        log.warning("%s waits with %s %r: %s", self.id, *lane.subject, parked.failure)
        self.retries.add(lane)
        self._moved(progress.shard)

    def pause(self, lane: Lane, failure: str, /, *, full: bool = False) -> bool:
        """Take note of a failure; whether the consumer waits as a whole now."""
        wait_ms = self._patience.failed(lane.subject, self.id, self._clock.now_ms(), full)
        if not wait_ms:
            return False
        pauses = self._patience.pauses
        level = logging.ERROR if pauses == 1 or pauses % 10 == 0 else logging.DEBUG
        log.log(level, "%s waits as a whole, at %s %r: %s", self.id, *lane.subject, failure)
        until_ms = self._patience.resume_ms
        self._clock.call_later(wait_ms, lambda: self._waited(until_ms))
        return True

    def _waited(self, until_ms: int) -> None:
        """A wait as a whole is over, also where the clock was set back meanwhile."""
        if self._patience.resume_ms == until_ms:
            self._patience.resume_ms = 0
        self._pump()

    # ---- the end ------------------------------------------------------------------------------
    def stop(self) -> None:
        """Begin nothing more, and leave what is under way: it will be handled again."""
        self._stopped = True
        for task in self._tasks:
            task.cancel()

    async def drain(self) -> None:
        """Begin nothing more, and wait for what is under way."""
        self._stopped = True
        if self._tasks:
            await asyncio.wait(list(self._tasks))
