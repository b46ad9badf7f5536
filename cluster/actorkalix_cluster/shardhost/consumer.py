"""One consumer of a host: what lands in its shards goes to its handler, in order per subject.

Theory of operation. Entries come as they land, or are read from the store where the consumer is
behind; `progress` sorts them into lanes. A *run* hands entries of a lane to the subscriber, or of
several lanes at once where it takes batches; at most `runs_max` are under way. A batch that fails
is handled entry by entry, so that only what is at fault waits.

    the subscriber              the subject                      the others
    handles the entry           goes on                          go on
    fails on it                 is parked: tried again after     go on
                                3 s, 6 s … 30 s, without end
    fails on `pause_after`      those that failed before are     wait: the first in line is tried
      in a row, none handled    parked, later ones wait in       after 3 s … 30 s, and when it is
      in between                their lanes, nothing counted     handled all go on

A consumer that blocks (`pause_after` of 1) parks nothing: the first failure stops it until that
very entry is handled, as Kalix does it.

What is under way when the process dies is handled again: at least once. What it does to actors of
ours happens once all the same, for the keys of calls are derived (`outgoing`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from actorkalix_cluster.shardhost.clock import Clock
from actorkalix_cluster.shardhost.committer import Committer, read
from actorkalix_cluster.shardhost.cursors import Cursor
from actorkalix_cluster.shardhost.limits import ConsumerLimits
from actorkalix_cluster.shardhost.patience import Patience
from actorkalix_cluster.shardhost.progress import Entry, Lane, LaneState, Progress, entry_of
from actorkalix_cluster.shardhost.subscriber import Subscriber
from actorkalix_storage.api import Position, Store, StoredRecord

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
    ) -> None:
        self.id, self.wants = subscriber.consumer, subscriber.wants
        self.progress: dict[int, Progress] = {}
        self.handled = 0
        self._subscriber = subscriber
        self._store = store
        self._committer = committer
        self._clock = clock
        self._limits = limits
        self._patience = Patience(1 if subscriber.blocks else limits.pause_after, limits)
        self._moved = moved
        self._ready: deque[Lane] = deque()
        self._behind: dict[int, None] = {}
        self._waiting = 0  # entries in memory
        self._reads = 0
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._retries: dict[Lane, None] = {}
        self._stopped = False

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
    def parked(self) -> list[Lane]:
        """Subjects that wait."""
        return list(self._retries)

    @property
    def paused(self) -> bool:
        """It waits as a whole."""
        return self._patience.paused

    @property
    def lag(self) -> int:
        """Entries in memory, not handled yet."""
        return self._waiting

    # ---- what comes ---------------------------------------------------------------------------
    def attach(self, shard: int, cursor: Cursor | None) -> None:
        """Begin with a shard, where its cursor stands."""
        state = self._store.shard(shard)
        newest = state.position
        start = newest if self._subscriber.from_now else Position(newest.lineage, 0, 0)
        progress = self.progress[shard] = Progress(shard, self.id, cursor, start)
        for lane in progress.lanes.values():
            self._retry_at(lane)
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
        self._waiting -= progress.waiting
        for lane in progress.lanes.values():
            self._retries.pop(lane, None)
        self._ready = deque(lane for lane in self._ready if lane.progress is not progress)

    def landed(self, shard: int, entries: list[Entry], through: Position) -> None:
        """These entries have landed; the last record that landed with them is at `through`.

        Args:
            shard: where.
            entries: those that are wanted; none where many records were not.
            through: position of the last record that landed.
        """
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
        before = progress.waiting
        if through.offset > progress.read.offset:
            self._ready.extend(progress.take(new, through))
        self._waiting += progress.waiting - before
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
            page = partial(self._page, shard, progress.read.offset)
            self._committer.read(page, partial(self._filled, progress))

    def _page(self, shard: int, after: int) -> tuple[list[StoredRecord], Position]:
        """The next records, and how far the log goes at least. On the reader's thread."""
        newest = self._store.applied(shard)
        return self._store.records(shard, after, limit=self._limits.page), newest

    def _filled(
        self, progress: Progress, found: tuple[list[StoredRecord], Position] | Exception
    ) -> None:
        self._reads -= 1
        shard = progress.shard
        if self._stopped or self.progress.get(shard) is not progress:
            return
        if isinstance(found, Exception):
            log.error("%s cannot read shard %d: %s", self.id, shard, found)
            self._clock.call_later(self._limits.retry_ms, lambda: self._read_again(progress))
            return
        records, newest = found
        whole = len(records) < self._limits.page
        # What landed between the two looks of `_page` is among the records and beyond `newest`.
        last = records[-1].position if records else newest
        through = newest if whole and newest.offset > last.offset else last
        wanted = [entry_of(stored) for stored in records if self.wants(stored.record)]
        self._take(progress, wanted, through)
        if not whole or self._store.applied(shard).offset > progress.read.offset:
            self._behind[shard] = None
        else:
            progress.synced = True
        self._pump()

    def _read_again(self, progress: Progress) -> None:
        if self.progress.get(progress.shard) is progress:
            self._behind[progress.shard] = None
            self._fill()

    # ---- runs ---------------------------------------------------------------------------------
    def _pump(self) -> None:
        """Begin what can be begun."""
        limits = self._limits
        while self._ready and not self._stopped and len(self._tasks) < limits.runs_max:
            paused = self._patience.paused
            if paused and (self._tasks or not self._patience.may_try(self._clock.now_ms())):
                return
            if self._subscriber.batch_max > 1 and not paused:
                self._begin(self._run_batch(self._next_lanes()))
                continue
            lane = self._ready.popleft()
            lane.state = LaneState.RUNNING
            self._begin(self._run(lane))
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

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a bug of actorkalix in consumer %s", self.id, exc_info=error)
        self._pump()

    async def _run(self, lane: Lane) -> None:
        """Handle entries of one lane, one after the other."""
        for _ in range(self._limits.run_entries_max):
            if not lane.entries or self._stopped:
                break
            failure = await self._try([lane.entries[0]])
            if failure:
                self._failed(lane, failure)
                return
            self._handled(lane, 1)
        self._rest(lane)

    async def _run_batch(self, lanes: list[Lane]) -> None:
        """Handle entries of several lanes at once; one by one when that fails."""
        left = self._subscriber.batch_max
        counts: list[tuple[Lane, int]] = []
        entries: list[Entry] = []
        for lane in lanes:
            count = min(left, len(lane.entries))
            entries += list(lane.entries)[:count]
            counts.append((lane, count))
            left -= count
        if await self._try(entries):
            for lane in lanes:
                await self._run(lane)
            return
        for lane, count in counts:
            self._handled(lane, count)
            self._rest(lane)

    async def _try(self, entries: Sequence[Entry]) -> str:
        """Hand entries over; what went wrong, or nothing."""
        try:
            await self._subscriber.handle(entries)
        except Exception as error:  # whatever it is, it is tried again
            log.debug("%s failed", self.id, exc_info=True)
            return f"{type(error).__name__}: {error}"
        self.handled += len(entries)
        if self._patience.handled():
            log.warning("%s goes on", self.id)
        return ""

    def _handled(self, lane: Lane, count: int) -> None:
        lane.progress.handled(lane, count)
        self._waiting -= count
        self._moved(lane.progress.shard)

    def _rest(self, lane: Lane) -> None:
        if lane.progress.rest(lane):
            self._ready.append(lane)

    # ---- failures -----------------------------------------------------------------------------
    def _failed(self, lane: Lane, failure: str) -> None:
        progress = lane.progress
        if self.progress.get(progress.shard) is not progress:
            return
        parked_count = sum(one.parked is not None for one in progress.lanes.values())
        if self._pause(lane, failure, whole=parked_count >= self._limits.parked_max):
            lane.state = LaneState.WAITING
            self._ready.appendleft(lane)
            return
        before = progress.waiting
        parked = progress.park(lane, failure, self._clock.now_ms())
        self._waiting += progress.waiting - before
        log.warning("%s waits with %s %r: %s", self.id, *lane.subject, parked.failure)
        self._retry_at(lane)
        self._moved(progress.shard)

    def _pause(self, lane: Lane, failure: str, *, whole: bool = False) -> bool:
        """Take note of a failure; whether the consumer waits as a whole now."""
        now_ms = self._clock.now_ms()
        wait_ms = self._patience.failed(lane.subject, self.id, now_ms, whole=whole)
        if not wait_ms:
            return False
        pauses = self._patience.pauses
        level = logging.ERROR if pauses == 1 or pauses % 10 == 0 else logging.DEBUG
        log.log(level, "%s waits as a whole, at %s %r: %s", self.id, *lane.subject, failure)
        self._clock.call_later(wait_ms, self._pump)
        return True

    def _retry_at(self, lane: Lane) -> None:
        """Try a parked lane again when its time has come."""
        assert lane.parked is not None, "only what is parked is tried again"
        wait_ms = self._patience.wait_ms(max(1, lane.parked.attempts), lane.subject[1])
        lane.retry_ms = self._clock.now_ms() + wait_ms
        self._retries[lane] = None
        self._clock.call_later(wait_ms, lambda: self._retry_due(lane))

    def _retry_due(self, lane: Lane) -> None:
        if self._stopped or lane not in self._retries or lane.state is not LaneState.PARKED:
            return
        others = self._tasks or self._ready  # of which one is tried when the wait is over
        may_try = self._patience.may_try(self._clock.now_ms())
        waits = self._patience.paused and (others or not may_try)
        if waits or len(self._tasks) >= self._limits.runs_max:
            self._clock.call_later(self._limits.retry_ms, lambda: self._retry_due(lane))
            return
        lane.state = LaneState.RETRYING
        self._begin(self._retry(lane))

    async def _retry(self, lane: Lane) -> None:
        """Handle what waits in the store for a parked lane."""
        progress = lane.progress
        shard, subject, page = progress.shard, lane.subject, self._limits.page
        while lane.parked is not None and not self._stopped:
            lane.news = False
            version, up_to = lane.parked.version, progress.read.offset
            job = partial(self._store.history, shard, *subject, after=version, limit=page)
            records = await read(self._committer, job)
            entries = [entry_of(s) for s in records if s.position.offset <= up_to]
            if not entries and progress.caught_up(lane):
                del self._retries[lane]
                self._moved(shard)
                log.info("%s goes on with %s %r", self.id, *subject)
                return
            for entry in entries:
                failure = await self._try([entry]) if self.wants(entry.record) else ""
                if self.progress.get(shard) is not progress:
                    return
                if failure:
                    self._retry_failed(lane, failure)
                    return
                progress.retried(lane, entry, entry.position.offset + 1)
                self._moved(shard)

    def _retry_failed(self, lane: Lane, failure: str) -> None:
        parked = lane.progress.failed_again(lane, failure)
        self._pause(lane, failure)
        if parked.attempts % self._limits.visible_attempts == 0:
            said = (*lane.subject, parked.attempts, failure)
            log.error("%s fails on %s %r, %d times now: %s", self.id, *said)
        self._retry_at(lane)
        self._moved(lane.progress.shard)

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
