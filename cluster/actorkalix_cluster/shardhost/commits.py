"""The commit queue: everything that waits goes into the next commit.

Theory of operation. One commit runs at a time; what comes meanwhile is the next batch, so batches
grow with the load and a lone command waits for nobody (group commit). When the committer is idle
the batch leaves at the end of the loop's present round: all that became runnable together is
committed together. A batch has at most `commit_bytes_max` bytes, or one flight; the queue at most
`commit_queue_max` flights, those in the commit included: whoever puts looks at `full`.

A flight that was voided while it waited is left out. Outcomes come back in the order of the
flights. When all of a batch landed, the next one leaves before the outcomes are told, so that
disk and loop work side by side; when not, the outcomes come first, for they may void what waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter

from actorkalix_cluster.shardhost.actor import Flight
from actorkalix_cluster.shardhost.committer import Outcomes
from actorkalix_cluster.shardhost.parts import Parts
from actorkalix_storage.api import Appended

Settle = Callable[[list[Flight], Outcomes | Exception], object]


class CommitQueue:
    """Flights that wait for a commit, and the one commit that runs."""

    def __init__(self, parts: Parts) -> None:
        self._committer = parts.committer
        self._observer = parts.observer
        self._bytes_max = parts.limits.commit_bytes_max
        self._queue_max = parts.limits.commit_queue_max
        self.settle: Settle = _nobody  # set by the host: who takes the outcomes
        self._waiting: list[Flight] = []
        self._flying = 0
        self._leaving = False
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting) + self._flying

    @property
    def full(self) -> bool:
        """It takes no more."""
        return len(self._waiting) + self._flying >= self._queue_max

    def put(self, flight: Flight) -> None:
        """Commit this with the next batch."""
        self._waiting.append(flight)
        if not self._flying and not self._leaving:
            self._leaving = True
            asyncio.get_running_loop().call_soon(self._leave)

    def close(self) -> None:
        """Hand nothing over any more and tell no outcome: the host has ended."""
        self._closed = True
        self._waiting.clear()

    def _leave(self) -> None:
        self._leaving = False
        batch = [] if self._closed else self._next_batch()
        if not batch:
            return
        self._flying = len(batch)
        started = perf_counter()
        self._committer.commit(
            [flight.append for flight in batch],
            lambda outcome: self._back(batch, started, outcome),
        )

    def _next_batch(self) -> list[Flight]:
        waiting = [flight for flight in self._waiting if not flight.void]
        size = 0
        for count, flight in enumerate(waiting):
            size += flight.size
            if size > self._bytes_max and count:
                self._waiting = waiting[count:]
                return waiting[:count]
        self._waiting = []
        return waiting

    def _back(self, batch: list[Flight], started: float, outcome: Outcomes | Exception) -> None:
        self._flying = 0
        if self._closed:
            return
        if isinstance(outcome, Exception):
            self.settle(batch, outcome)
            self._leave()
            return
        landed = records = size = 0
        for flight, one in zip(batch, outcome, strict=True):
            if type(one) is Appended:
                landed += 1
                records += len(flight.append.records)
                size += flight.size
        self._observer.committed(landed, records, size, perf_counter() - started)
        if landed == len(batch):
            self._leave()
            self.settle(batch, outcome)
        else:
            self.settle(batch, outcome)
            self._leave()


def _nobody(batch: list[Flight], outcome: Outcomes | Exception) -> None:
    raise AssertionError("the host says who takes the outcomes before it starts")
