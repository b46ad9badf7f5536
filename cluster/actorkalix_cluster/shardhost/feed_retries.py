"""Subjects that a feed's target holds back, because it fails on them.

Theory of operation. The target says with every answer which subjects of a shard wait. When one is
due its records are read from the store, from the first that was not handled, and sent with the next
batch; whatever the target makes of it comes back with the answer. A subject waits 3 s to 30 s
between two tries, by the number of tries that failed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from zlib import crc32

from actorkalix_cluster.shardhost.clock import Handle
from actorkalix_cluster.shardhost.feed_progress import Retrying
from actorkalix_cluster.shardhost.feed_reading import read_again
from actorkalix_cluster.shardhost.feeding import Again, FeedSource, Held
from actorkalix_cluster.shardhost.parts import Parts

log = logging.getLogger("actorkalix.feed")

Key = tuple[int, str, str]  # shard, table, subject


class FeedRetries:
    """See the head of this file.

    Args:
        feed: its id.
        source: what it reads.
        parts: the host's.
        wake: there is something to send.
    """

    def __init__(
        self, feed: str, source: FeedSource, parts: Parts, wake: Callable[[], object]
    ) -> None:
        self._feed = feed
        self._source = source
        self._store = parts.store
        self._committer = parts.committer
        self._clock = parts.clock
        self._limits = parts.limits.feeds
        self._wake = wake
        self._waiting: dict[Key, Retrying] = {}
        self._reads = 0
        self._timer: Handle | None = None
        self._stopped = False

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Records are being read."""
        return bool(self._reads)

    @property
    def loaded(self) -> bool:
        """Records lie here to be sent."""
        return any(one.again is not None for one in self._waiting.values())

    # ---- from the target ----------------------------------------------------------------------
    def told(self, shard: int, held: tuple[Held, ...]) -> None:
        """These subjects of a shard wait, and no others."""
        if not held and not self._waiting:
            return
        there = {(shard, one.table, one.subject): one for one in held}
        for key in [key for key in self._waiting if key[0] == shard and key not in there]:
            del self._waiting[key]
        now_ms = self._clock.now_ms()
        for key, one in there.items():
            known = self._waiting.get(key)
            if known is None:
                log.debug("%s waits with %r of %s: %s", self._feed, *key[:0:-1], one.failure)
            if known is None or known.held != one:
                self._waiting[key] = Retrying(one, now_ms + self._wait_ms(one))
        self._arm()

    def forget(self, shard: int) -> None:
        """The shard is not ours any more."""
        self.told(shard, ())

    # ---- to the target ------------------------------------------------------------------------
    def take(self) -> tuple[Again, ...]:
        """What was read, to be sent now."""
        found: list[Again] = []
        for one in self._waiting.values():
            if one.again is not None and len(found) < self._limits.retries_max:
                found.append(one.again)
                one.again = None
        return tuple(found)

    def sent(self, sent: tuple[Again, ...]) -> None:
        """These were sent; what still waits as before is tried again in its time."""
        now_ms = self._clock.now_ms()
        for again in sent:
            one = self._waiting.get(_key(again.held))
            if one is not None and one.held == again.held:
                one.due_ms = now_ms + self._wait_ms(one.held)
        self._arm()

    def now(self, subject: str) -> int:
        """Try now; how many subjects that are."""
        chosen = [one for one in self._waiting.values() if subject in ("", one.held.subject)]
        for one in chosen:
            one.due_ms = 0
        self._arm()
        return len(chosen)

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    # ---- inside -------------------------------------------------------------------------------
    def _wait_ms(self, held: Held) -> int:
        """Doubling waits, each up to a fifth longer, so that not all come at once."""
        limits = self._limits
        wait_ms = min(limits.held_ms << min(max(held.attempts - 1, 0), 16), limits.held_ms_max)
        salt = f"{self._feed}{held.subject}{held.attempts}"
        return wait_ms + crc32(salt.encode()) % (wait_ms // 5 + 1) if held.attempts else 0

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = [
            one.due_ms for one in self._waiting.values() if not one.reading and one.again is None
        ]
        if due and not self._stopped:
            delay_ms = max(0, min(due) - self._clock.now_ms())
            # Bounded: a clock that was set back is set right again some time.
            delay_ms = min(delay_ms, 2 * self._limits.held_ms_max)
            self._timer = self._clock.call_later(delay_ms, self._read)

    def _read(self) -> None:
        """Read the records of those that are due."""
        self._timer = None
        now_ms = self._clock.now_ms()
        for key, one in self._waiting.items():
            if self._reads >= self._limits.retries_max:
                break
            if one.due_ms <= now_ms and not one.reading and one.again is None:
                one.reading = True
                self._reads += 1
                job = partial(read_again, self._store, self._source, one.held, self._limits)
                self._committer.read(job, partial(self._was_read, key, one))
        if not self._reads:
            self._arm()

    def _was_read(self, key: Key, one: Retrying, found: Again | Exception) -> None:
        self._reads -= 1
        one.reading = False
        if self._stopped or self._waiting.get(key) is not one:
            return
        if isinstance(found, Exception):
            log.error("%s cannot read %r of shard %d: %s", self._feed, key[2], key[0], found)
            one.due_ms = self._clock.now_ms() + self._limits.held_ms_max
        else:
            one.again = found
            self._wake()
        self._arm()


def _key(held: Held) -> Key:
    return held.shard, held.table, held.subject
