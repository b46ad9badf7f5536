"""The load queue: what is cold is read from the store in batches.

Theory of operation. One batch is with the committer's reader at a time. The first load that comes
while there is none goes at once; what comes meanwhile waits and is the next batch, so a lone load
waits for nobody and a storm of them costs one handover and one look at the store for many. Loads
are told in the order in which they end.

Nothing may wait long behind loads, for the reader looks up idempotency keys and due times, too. A
batch has at most `load_batch_max` loads and stops after `load_slice_ms`; what it has not come to
goes first into the next one. A load that was stopped halfway is a long one. It goes on alone, in
slices of the same time and in turn with batches of others, and the long ones one after the other,
so that only one holds many records. A load that ends by an error costs no other: when the store
raises what is not one load's outcome, each is asked for alone.

    put --> waiting --batch--> reader --> over: told
               ^                  |-----> not begun: first of `waiting`
                                  '-----> begun: `long` --alone--> reader ...

When a batch is back, its outcomes are told first and the next one leaves after that: side by side
they would only take the interpreter from each other, and the loop has others to serve.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from actorkalix_cluster.shardhost.committer import outcome_of
from actorkalix_cluster.shardhost.parts import Parts
from actorkalix_storage.api import History, Load

Found = History | Exception | None
Done = Callable[[Found], object]
_Asked = tuple[Load, Done]


class LoadQueue:
    """Loads that wait for the reader, and the one batch that it has."""

    def __init__(self, parts: Parts) -> None:
        self._store = parts.store
        self._committer = parts.committer
        self._clock = parts.clock
        self._queue_max = parts.limits.loads_max
        self._batch_max = parts.limits.load_batch_max
        self._slice_ms = parts.limits.load_slice_ms
        self._waiting: deque[_Asked] = deque()
        self._long: deque[_Asked] = deque()
        self._long_is_next = False
        self._flying: list[_Asked] = []
        self._closed = False
        self.on_told: Callable[[], object] = _nothing  # set by who puts: a batch is over

    def __len__(self) -> int:
        return len(self._waiting) + len(self._long) + len(self._flying)

    @property
    def full(self) -> bool:
        """It takes no more."""
        return len(self) >= self._queue_max

    def put(self, shard: int, component: str, entity: str, done: Done) -> None:
        """Load a subject; `done` is called later, never from inside of this call."""
        self._waiting.append((Load(shard, component, entity), done))
        if not self._flying:
            self._leave()

    def close(self) -> None:
        """Hand nothing over any more and tell no outcome: the host has ended."""
        self._closed = True
        self._waiting.clear()
        self._long.clear()

    # ---- on the loop --------------------------------------------------------------------------
    def _leave(self) -> None:
        batch = self._flying = self._next_batch()
        if batch:
            was_new = not batch[0][0].begun
            self._committer.read(
                lambda: self._work([load for load, _ in batch]),
                lambda outcome: self._back(batch, was_new, outcome),
            )

    def _next_batch(self) -> list[_Asked]:
        if self._long and (self._long_is_next or not self._waiting):
            self._long_is_next = False
            return [self._long.popleft()]
        self._long_is_next = True
        count = min(len(self._waiting), self._batch_max)
        return [self._waiting.popleft() for _ in range(count)]

    def _back(self, batch: list[_Asked], was_new: bool, outcome: Exception | None) -> None:
        if self._closed:
            return
        assert outcome is None, f"each load has its own outcome: {outcome!r}"
        for asked in reversed(batch):
            if asked[0].begun and was_new:
                self._long.append(asked)
            elif asked[0].begun:
                self._long.appendleft(asked)  # the others wait until it is over
            elif not asked[0].over:
                self._waiting.appendleft(asked)
        for load, done in batch:
            if load.over:
                done(load.found)
        self.on_told()
        self._leave()

    # ---- beside the loop ----------------------------------------------------------------------
    def _work(self, loads: list[Load]) -> None:
        """Go on with a batch until its time is over."""
        until_ms = self._clock.now_ms() + self._slice_ms
        failure = outcome_of(
            lambda: self._store.load_some(loads, lambda: self._clock.now_ms() >= until_ms)
        )
        if failure is not None:
            for load in loads:
                if not load.over:
                    load.end(_alone(self._store.load, load))


def _alone(ask: Callable[[int, str, str], History | None], load: Load) -> Found:
    return outcome_of(lambda: ask(*load.subject))


def _nothing() -> None:
    """Nobody wants to know."""
