"""One feed of a host: what lands in its shards goes to a target that keeps the positions.

Theory of operation. The target is asked first where it stands in each shard; from there on the feed
reads the store, page by page, until it is at the end of the log, and then takes what lands, without
a look at the store (`feed_progress` has the states). Whatever is taken goes to the target in
batches of ranges of many shards (`feeding`), one at a time: while one is under way the next one
grows, so batches are as large as the target is slow, and as small as one record when it is idle.

    what happens                           what follows
    the target has taken a range           the shard goes on behind it
    it stands elsewhere in a shard         the shard is read again from there
    what it has read never was here        it forgets the shard (`parted`), which is read again
    it waits, or cannot be reached         the same again later; nothing is lost, nothing doubled
    it keeps something else now            all shards are asked for anew
    it fails on a subject                  the others go on; the subject's records are read again
                                           and sent once more, 3 s to 30 s apart, without end

Records of components that nobody wants pass by unread. That they did is told as well, some time
later (`cover_every_ms`), for whoever waits until the target has passed a position. What is of a
wanted component is told at once, whether the record is wanted or not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial

from actorkalix_cluster.shardhost.clock import Handle
from actorkalix_cluster.shardhost.feed_due import FeedDue
from actorkalix_cluster.shardhost.feed_progress import (
    Entry,
    FeedProgress,
    FeedState,
    at_place,
    entries_of,
)
from actorkalix_cluster.shardhost.feed_reading import Page, next_page
from actorkalix_cluster.shardhost.feed_retries import FeedRetries
from actorkalix_cluster.shardhost.feeding import (
    BEGINNING,
    Answer,
    Batch,
    FeedSource,
    FeedTarget,
    Place,
    Standing,
    pack_batch,
    place_of,
    unpack_answer,
)
from actorkalix_cluster.shardhost.observer import FeedStats
from actorkalix_cluster.shardhost.parts import Parts
from actorkalix_cluster.shardhost.subscriber import reason_of
from actorkalix_storage.api import Append, Position

log = logging.getLogger("actorkalix.feed")

NOTHING, LONG = at_place(BEGINNING), 10  # batches in a row that were not taken


class Feed:
    """See the head of this file. All methods are called on the loop.

    Args:
        source: what it reads.
        target: takes it.
        parts: the host's.

    Attributes:
        id: the feed's.
        progress: by shard.
        handed: entries that the target has taken.
    """

    def __init__(self, source: FeedSource, target: FeedTarget, parts: Parts) -> None:
        self.id = source.feed
        self.progress: dict[int, FeedProgress] = {}
        self.handed = 0
        self._source = source
        self._target = target
        self._store = parts.store
        self._committer = parts.committer
        self._clock = parts.clock
        self._limits = parts.limits.feeds
        self._generation = ""
        self._building = False
        self._due = FeedDue(parts.store, self._limits)
        self._behind: dict[int, None] = {}
        self._size = 0  # bytes of all entries that lie here
        self._reads = 0
        self._failures, self._failure = 0, ""  # in a row, and the last of them
        self._exchange: asyncio.Task[None] | None = None
        self._woken = False
        self._wait: Handle | None = None
        self._cover: Handle | None = None
        self._stopped = False
        self._retries = FeedRetries(self.id, source, parts, self._wake)

    # ---- what there is ------------------------------------------------------------------------
    @property
    def busy(self) -> bool:
        """Something is under way, or could be: not what waits for its time."""
        more = bool(self._due or self._behind or self._retries.loaded)
        under_way = self._exchange is not None or self._reads or self._woken
        return bool(under_way or self._retries.busy or (more and self._wait is None))

    @property
    def caught_up(self) -> bool:
        """The target has all that is wanted of what has landed, and holds nothing back."""
        return all(each.caught_up for each in self.progress.values()) and not self.busy

    def passed(self, shard: int) -> Position:
        """Up to where the target needs nothing of a shard's log any more, by its own word."""
        newest = self._store.applied(shard)
        progress = self.progress.get(shard)
        if progress is None or shard in self._due.parted:
            return Position(newest.lineage, 0, 0)
        return progress.beyond_need(newest)

    def lags(self) -> Mapping[int, int]:
        """Records of each shard's log beyond what the target has, those of others among them."""
        found = {
            shard: progress.lag(self._store.applied(shard))
            for shard, progress in self.progress.items()
        }
        return {shard: lag for shard, lag in found.items() if lag}

    def stats(self) -> FeedStats:
        """A look at it."""
        lags = self.lags()
        return FeedStats(
            *(self.id, len(self.progress), sum(lags.values()), max(lags.values(), default=0)),
            sum(len(each.entries) for each in self.progress.values()),
            *(len(self._retries), self.handed, self._failures, self._failure),
        )

    # ---- shards ----------------------------------------------------------------------------------
    def attach(self, shard: int) -> None:
        """Begin with a shard."""
        self.progress[shard] = FeedProgress(shard, NOTHING)
        self._due.asking[shard] = None
        self._wake()

    def detach(self, shard: int) -> None:
        """The shard is not ours any more."""
        progress = self.progress.pop(shard, None)
        if progress is None:
            return
        self._size -= progress.size
        self._due.forget(shard)
        self._behind.pop(shard, None)
        self._retries.forget(shard)

    def begin_again(self) -> None:
        """The target may have begun anew: ask it for all shards."""
        for progress in self.progress.values():
            self._ask(progress)
        self._failures = 0
        if self._wait is not None:
            self._wait.cancel()
        self._waited()

    def retry(self, subject: str = "") -> int:
        """Try now what the target holds back, all or this subject; how many subjects that are."""
        return self._retries.now(subject)

    def _ask(self, progress: FeedProgress) -> None:
        self._put_down(progress)
        progress.state = FeedState.ASKING
        self._due.asking[progress.shard] = None

    def _put_down(self, progress: FeedProgress) -> None:
        """Keep nothing of a shard in memory."""
        shard = progress.shard
        self._size -= progress.size
        progress.stand_at(progress.told)
        self._due.put_down(shard)
        self._behind.pop(shard, None)

    # ---- what lands ---------------------------------------------------------------------------
    def landed(self, append: Append, last: Position, incarnation: int) -> None:
        """An append is durable; its last record is at this position."""
        shard = append.shard
        progress = self.progress.get(shard)
        if progress is None or progress.state is not FeedState.SYNCED:
            return
        records = append.records
        before = last.offset - len(records)
        if before > progress.read.offset or self._size > self._limits.bytes_max:
            self._fall_behind(progress)  # something is missing, or there is no room
            return
        if records[0].component not in self._source.components:
            progress.take([], last)
            self._skip(shard)
            return
        self._take(progress, entries_of(self._source, append, last, incarnation), last)

    def _take(self, progress: FeedProgress, entries: list[Entry], through: Position) -> None:
        self._size -= progress.size
        progress.take(entries, through)
        self._size += progress.size
        if progress.waiting:
            self._due.dirty[progress.shard] = None
            self._wake()

    def _skip(self, shard: int) -> None:
        if shard in self._due.dirty:
            return
        self._due.skipped[shard] = None
        if self._cover is None and not self._stopped:
            self._cover = self._clock.call_later(self._limits.cover_every_ms, self._cover_all)

    def _cover_all(self) -> None:
        """Tell how far the shards have come of which nothing was wanted."""
        self._cover = None
        self._due.hurry()
        self._wake()

    def _fall_behind(self, progress: FeedProgress) -> None:
        """The store tells what comes."""
        progress.state = FeedState.BEHIND
        self._behind[progress.shard] = None
        self._wake()

    # ---- reading ------------------------------------------------------------------------------
    def _fill(self) -> None:
        limits = self._limits
        while self._behind and self._reads < limits.reads_max and self._size < limits.bytes_max:
            del self._behind[shard := next(iter(self._behind))]
            self._read(self.progress[shard], None)

    def _read(self, progress: FeedProgress, at: Place | None) -> None:
        """Read a page; `at`: from there, when the log was compared with what led there."""
        progress.state = FeedState.READING
        progress.reading += 1
        self._reads += 1
        begin, compare = (progress.read, False) if at is None else (at_place(at), True)
        folding = progress.folded(self._store) if self._building and self._source.folds else None
        shard, how = progress.shard, (begin, compare, self._limits, folding)
        page = partial(next_page, self._store, self._source, shard, *how)
        self._committer.read(page, partial(self._was_read, progress, progress.reading))

    def _was_read(self, progress: FeedProgress, reading: int, page: Page | Exception) -> None:
        self._reads -= 1
        shard = progress.shard
        if self._stopped or self.progress.get(shard) is not progress:
            return
        if progress.state is not FeedState.READING or progress.reading != reading:
            self._wake()  # it begins elsewhere by now
            return
        if isinstance(page, Exception):
            log.error("%s cannot read shard %d: %s", self.id, shard, page)
            progress.state = FeedState.BEHIND
            self._clock.call_later(self._limits.retry_ms_max, lambda: self._read_again(progress))
            return
        if page.parted:
            log.error(
                "AK4011 %s has read another history of shard %d than there is now, up to offset %d;"
                " what it has of the shard is made again",
                *(self.id, shard, page.begin.offset),
            )
            progress.state = FeedState.ASKING
            self._due.parted[shard] = place_of(page.begin)
            self._wake()
            return
        if page.compared:
            self._put_down(progress)
            progress.stand_at(page.begin)
            progress.passed = min([page.begin.offset, *(one.offset - 1 for one in progress.held)])
        self._take(progress, page.entries, page.through)
        if page.whole and self._store.applied(shard).offset <= progress.read.offset:
            progress.state, progress.folding = FeedState.SYNCED, None
        else:
            self._fall_behind(progress)
        self._wake()

    def _read_again(self, progress: FeedProgress) -> None:
        if self.progress.get(progress.shard) is progress and progress.state is FeedState.BEHIND:
            self._fall_behind(progress)

    # ---- exchanges -------------------------------------------------------------------------------
    def _wake(self) -> None:
        """Look in the next turn of the loop what is to be done."""
        if not self._woken and not self._stopped:
            self._woken = True
            asyncio.get_running_loop().call_soon(self._work)

    def _work(self) -> None:
        self._woken = False
        if self._stopped:
            return
        if self._exchange is None and self._wait is None:
            again = self._retries.take()
            batch = self._due.batch(self.progress, again, self._clock.now_ms())
            if batch is not None:
                work = self._send(batch)
                self._exchange = asyncio.get_running_loop().create_task(work)
                self._exchange.add_done_callback(self._sent)
        self._fill()

    async def _send(self, batch: Batch) -> None:
        try:
            packed = await self._target.apply(self.id, pack_batch(batch))
            answer = unpack_answer(packed)
        except Exception as error:  # whatever it is, the same goes there again
            log.debug("%s cannot reach its target", self.id, exc_info=True)
            answer = Answer("", (), self._limits.retry_ms, reason_of(error))
        if not self._stopped:
            self._answered(batch, answer)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._exchange = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a bug of actorkalix in feed %s", self.id, exc_info=error)
        self._wake()

    def _answered(self, batch: Batch, answer: Answer) -> None:
        if answer.wait_ms:
            self._refused(batch, answer)
            return
        if self._failures >= LONG or (self._failures and self._generation):
            log.warning("%s goes on", self.id)
        self._failures, self._failure = 0, ""
        known, self._generation = self._generation, answer.generation
        self._building = answer.building
        if known not in ("", answer.generation):
            log.warning("%s begins anew: its target keeps %s", self.id, answer.generation)
            self.begin_again()
            return
        sent = {part.shard: len(part.entries) for part in batch.ranges}
        for standing in answer.standings:
            self._stands(standing, sent.get(standing.shard, 0))
        self._retries.sent(batch.again)

    def _stands(self, standing: Standing, entries: int) -> None:
        """The target has said where it stands in a shard."""
        shard = standing.shard
        progress = self.progress.get(shard)
        if progress is None:
            return
        self._due.asking.pop(shard, None)
        self._due.parted.pop(shard, None)
        self._size -= progress.size
        fits = progress.answered(standing)
        self._size += progress.size
        self._retries.told(shard, standing.held)
        if progress.state is FeedState.ASKING or not fits:
            self._put_down(progress)
            progress.passed = 0  # by another history, for all that is known
            self._read(progress, standing.place)
            return
        self.handed += entries
        if progress.entries:
            self._due.dirty[shard] = None
        elif progress.waiting:
            self._skip(shard)

    def _refused(self, batch: Batch, answer: Answer) -> None:
        """Nothing of a batch was taken; the same again later."""
        for part in batch.ranges:
            progress = self.progress.get(part.shard)
            if progress is not None:
                progress.lost_sight()
                if progress.state is not FeedState.ASKING:
                    self._due.dirty[part.shard] = None
        self._retries.sent(batch.again)
        self._failures += 1
        self._failure = answer.reason
        if self._failures == LONG or (self._failures == 1 and self._generation):
            log.warning("%s waits: %s", self.id, answer.reason)  # a start is no news
        longer_ms = min(answer.wait_ms << min(self._failures - 1, 16), self._limits.retry_ms_max)
        self._wait = self._clock.call_later(max(answer.wait_ms, longer_ms), self._waited)

    def _waited(self) -> None:
        self._wait = None
        self._wake()

    # ---- the end ------------------------------------------------------------------------------
    def stop(self) -> None:
        """Begin nothing more, and leave what is under way: the target says what came of it."""
        self._stopped = True
        self._retries.stop()
        for handle in (self._wait, self._cover):
            if handle is not None:
                handle.cancel()
        if self._exchange is not None:
            self._exchange.cancel()

    async def drain(self) -> None:
        """Begin nothing more, and wait for what is under way."""
        exchange = self._exchange
        self._stopped = True
        if exchange is not None:
            await asyncio.wait([exchange])
        self.stop()
