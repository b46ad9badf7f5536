"""Which calls go to which worker, alone or in a batch. Pure: knows neither Ray nor the time.

Theory of operation. A host has *slots*: so many Ray tasks it has under way at a time, for Ray with
`num_cpus=0` would start a worker for each. A call waits for a slot; while one is free it waits for
nothing and goes alone. A *batch* is formed only when all slots are busy but the one that becomes
free: those that wait, in their order, as many as are expected to take `BUDGET_MS` together by what
their methods took before (a moving average). A method that nobody has seen run goes alone, and so
does one that has taken `ALONE_MS`, until it was quick many times. To leave some of those that wait
to the other slots was tried: a task of Ray's costs more than they do, so more of them were slower.

    waiting --next--> sent --answered--> done
       ^               | |
       +---given back--+ +--ended without an answer--> started: lost;  not started: sent again

Nesting. A call made by a handler has a depth above that of its caller, and the caller waits for it
in its slot. So that this ends, each depth from 1 has one slot in reserve beside those that all
share: whoever is deepest can always start, and ends, and so on upwards. A batch holds calls of one
depth alone, for a caller must not stand before what it waits for.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Callable, Iterable

import msgspec

BUDGET_MS = 5.0  # of a batch: what the last in it waits longer at most, if all goes as before
ALONE_MS = 50.0  # who takes that long goes alone: nobody is to stand behind it
QUICK_RUNS = 8  # quick ones in a row until it counts as quick again: the machine hiccups too
WEIGHT = 0.2  # of the newest time in the average
CLIP, CLIP_MS = 4.0, 0.1  # no more of it counts: a process that had to wait for a core says little
BATCH_MAX = 256  # calls, whatever they take
SENDS_MAX = 3  # of a call that was never started: a worker that dies at its start kills each time


class Answer(msgspec.Struct, frozen=True):
    """What the work gave."""

    value: bytes


class Lost(msgspec.Struct, frozen=True):
    """There is no answer.

    Attributes:
        started: the work may have been done, in part or in full; else nothing of it was.
        reason: why, for the log and the caller.
    """

    started: bool
    reason: str


Outcome = Answer | Lost


class Item:
    """A piece of work.

    Args:
        work: what the worker is given.
        method: whose times are alike.
        depth: of calls, 0 for one that no handler made.
        tell: is told the outcome, once.
        retries: how often it may be run again when its worker died on it.

    Attributes:
        begun: a worker has died on it, so some of it may have been done.
    """

    __slots__ = ("batch", "begun", "depth", "dropped", "method", "retries", "sends", "tell", "work")

    def __init__(
        self,
        work: bytes,
        method: str,
        depth: int,
        tell: Callable[[Outcome], object],
        retries: int = 0,
    ) -> None:
        self.work = work
        self.method = method
        self.depth = depth
        self.tell = tell
        self.retries = retries
        self.sends = 0
        self.dropped = False
        self.begun = False
        self.batch: Batch | None = None


class Batch:
    """What one Ray task does, in this order.

    Attributes:
        number: of the batch, never given twice.
        items: those that were sent.
        open: those that have no answer yet, by their place.
        reserve: it has the slot that its depth has in reserve.
    """

    __slots__ = ("depth", "items", "number", "open", "reserve")

    def __init__(self, number: int, items: list[Item], depth: int, *, reserve: bool) -> None:
        self.number = number
        self.items = items
        self.open = dict(enumerate(items))
        self.depth = depth
        self.reserve = reserve


class Batching:
    """See the module.

    Args:
        slots: that all depths share, 1 and up.
        queue_max: calls of a depth that may wait.
        depth_max: of calls.
    """

    def __init__(self, slots: int, queue_max: int, depth_max: int) -> None:
        assert slots >= 1, slots
        self._slots = slots
        self._queue_max = queue_max
        self._queues = [collections.deque[Item]() for _ in range(depth_max + 1)]
        self._waiting = [0] * (depth_max + 1)  # of the queue, those that were not dropped
        self._shared = 0  # slots in use
        self._reserves: set[int] = set()  # depths whose own slot is in use
        self._number = 0
        self._times: dict[str, float] = {}
        self._slow: dict[str, int] = {}  # quick runs that are still to be seen

    @property
    def waiting(self) -> int:
        """Calls that wait for a slot."""
        return sum(self._waiting)

    @property
    def busy(self) -> int:
        """Slots in use."""
        return self._shared + len(self._reserves)

    def put(self, item: Item) -> bool:
        """Have a call wait for a slot; False when too many do."""
        # What a call waits for is not refused for others that wait: depths are bounded each.
        if self._waiting[item.depth] >= self._queue_max:
            return False
        self._queues[item.depth].append(item)
        self._waiting[item.depth] += 1
        return True

    def drop(self, item: Item) -> bool:
        """Nobody wants its answer; True when it had not been sent, and now never is."""
        if item.dropped:
            return False
        item.dropped = True
        if item.batch is not None:
            return False
        self._waiting[item.depth] -= 1
        return True

    def next(self) -> Batch | None:
        """What is to be sent now; None when nothing waits, or no slot is free for it."""
        for depth in reversed(range(len(self._queues))):  # the deepest first: others wait for them
            if not self._waiting[depth]:
                continue
            if self._shared < self._slots:
                return self._sent(depth, reserve=False)
            if depth and depth not in self._reserves:
                return self._sent(depth, reserve=True)
        return None

    def measured(self, method: str, took_ms: float) -> None:
        """A run of a method took so long."""
        if took_ms >= ALONE_MS:  # the mark says it; in the average one hiccup would outlast it
            self._slow[method] = QUICK_RUNS
            return
        before = self._times.get(method, took_ms)
        took_ms = min(took_ms, CLIP * before + CLIP_MS)
        self._times[method] = before + WEIGHT * (took_ms - before)
        if method in self._slow:
            self._slow[method] = self._slow[method] - 1 if took_ms <= BUDGET_MS else QUICK_RUNS
            if not self._slow[method]:
                del self._slow[method]

    def answered(self, batch: Batch, place: int) -> Item | None:
        """The call at this place has its answer; None when it had one before."""
        return batch.open.pop(place, None)

    def give_back(self, batch: Batch, places: Iterable[int]) -> None:
        """These were not started and never will be there: they wait again, before all others."""
        back = [item for place in places if (item := batch.open.pop(place, None)) is not None]
        for item in back:
            item.sends -= 1
        self._requeue(back)

    def _requeue(self, items: list[Item]) -> None:
        for item in reversed(items):
            item.batch = None
            if not item.dropped:
                self._queues[item.depth].appendleft(item)
                self._waiting[item.depth] += 1

    def ended(self, batch: Batch) -> None:
        """Its task is over: the slot is free."""
        assert not batch.open, "what has no answer was lost or is given back before"
        if batch.reserve:
            self._reserves.discard(batch.depth)
        else:
            self._shared -= 1

    def lost(self, batch: Batch, started: int, reason: str) -> list[tuple[Item, Lost]]:
        """Its worker is gone; returns those that are not tried again.

        Args:
            batch: that has not ended yet.
            started: how many calls of it had been started: the first of it.
            reason: why, as `Lost` has it.
        """
        told: list[tuple[Item, Lost]] = []
        again: list[Item] = []
        for place, item in batch.open.items():
            was_started = place < started
            item.begun = item.begun or was_started
            if was_started and item.retries:
                item.retries -= 1
                again.append(item)
            elif not was_started and item.sends < SENDS_MAX:
                again.append(item)
            else:
                told.append((item, Lost(item.begun, reason)))
        batch.open.clear()
        self._requeue(again)
        return told

    # ---- inside -------------------------------------------------------------------------------
    def _sent(self, depth: int, *, reserve: bool) -> Batch:
        if reserve:
            self._reserves.add(depth)
        else:
            self._shared += 1
        items = self._taken(depth, BATCH_MAX if self._shared >= self._slots else 1)
        self._number += 1
        batch = Batch(self._number, items, depth, reserve=reserve)
        for item in items:
            item.batch = batch
            item.sends += 1
        return batch

    def _taken(self, depth: int, count: int) -> list[Item]:
        """The first that waits, and those behind it that fit into a batch with it."""
        queue, items, left_ms = self._queues[depth], list[Item](), BUDGET_MS
        while queue and len(items) < count:
            item = queue[0]
            if item.dropped:
                queue.popleft()
                continue
            took_ms = self._expected_ms(item)
            if items and took_ms > left_ms:
                break
            items.append(queue.popleft())
            left_ms -= took_ms
        while queue and queue[0].dropped:
            queue.popleft()
        self._waiting[depth] -= len(items)
        return items

    def _expected_ms(self, item: Item) -> float:
        """What it is going to take; beyond any budget where it has to go alone."""
        if item.method in self._slow or item.sends:  # whatever killed its worker may be it
            return math.inf
        return self._times.get(item.method, math.inf)
