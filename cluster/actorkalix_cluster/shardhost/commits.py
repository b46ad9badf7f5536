"""The commit queue: everything that waits goes into the next commit.

Theory of operation. One commit runs at a time; what comes meanwhile is the next batch, so batches
grow with the load and a lone command waits for nobody (group commit). When the committer is idle
the batch leaves at the end of the loop's present round: all that became runnable together is
committed together. A batch has at most `commit_bytes_max` bytes, or one flight; the queue at most
`commit_queue_max` flights, those in the commit included: whoever puts looks at `full`.

A state of more than `AHEAD_BYTES` is written first, in pieces between the commits of others; its
flight joins the queue when all of it is on disk, and the commit has a name of it. Meanwhile its
actor takes no further command (`Actor.ahead`), so nothing of it can overtake. At most
`ahead_bytes_max` bytes are on this way, or one state.

A flight that was voided while it waited is left out. Outcomes come back in the order of the
flights. When all of a batch landed, the next one leaves before the outcomes are told, so that
disk and loop work side by side; when not, the outcomes come first, for they may void what waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter

import msgspec

from actorkalix_cluster.shardhost.actor import Flight
from actorkalix_cluster.shardhost.committer import Outcomes
from actorkalix_cluster.shardhost.parts import Parts
from actorkalix_storage.api import AHEAD_BYTES, Ahead, Appended, RecordKind

Settle = Callable[[list[Flight], Outcomes | Exception], object]


class CommitQueue:
    """Flights that wait for a commit, and the one commit that runs."""

    def __init__(self, parts: Parts) -> None:
        self._committer = parts.committer
        self._observer = parts.observer
        self._bytes_max = parts.limits.commit_bytes_max
        self._queue_max = parts.limits.commit_queue_max
        self.settle: Settle = _nobody  # set by the host: who takes the outcomes
        self._store = parts.store
        self._ahead_max = parts.limits.ahead_bytes_max
        self._ahead: dict[Flight, Ahead] = {}  # whose states are being written
        self._ahead_bytes = 0
        self._waiting: list[Flight] = []
        self._flying = 0
        self._leaving = False
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting) + self._flying + len(self._ahead)

    @property
    def full(self) -> bool:
        """It takes no more."""
        return len(self._waiting) + self._flying + len(self._ahead) >= self._queue_max

    def takes(self, flight: Flight) -> bool:
        """Whether there is room for the flight's state, where that has to be written ahead."""
        fits = self._ahead_bytes + flight.size <= self._ahead_max or not self._ahead
        return fits or large_state(flight) is None

    def put(self, flight: Flight) -> None:
        """Commit this with the next batch."""
        if flight.size > AHEAD_BYTES:
            state = large_state(flight)
            if state is not None:
                self._write_ahead(flight, state)
                return
        self._put(flight)

    def _put(self, flight: Flight) -> None:
        self._waiting.append(flight)
        if not self._flying and not self._leaving:
            self._leaving = True
            asyncio.get_running_loop().call_soon(self._leave)

    def close(self) -> None:
        """Hand nothing over any more and tell no outcome: the host has ended."""
        self._closed = True
        self._waiting.clear()
        self._ahead.clear()

    # ---- ahead --------------------------------------------------------------------------------
    def _write_ahead(self, flight: Flight, state: bytes) -> None:
        actor = flight.actor
        ahead = Ahead(flight.append.shard, actor.component, actor.entity, state)
        actor.ahead = True
        self._ahead[flight] = ahead
        self._ahead_bytes += len(state)
        self._committer.background(
            lambda: self._next_piece(flight, ahead),
            lambda error: self._written(flight, error),
            lambda: self._written(flight, None),
        )

    def _next_piece(self, flight: Flight, ahead: Ahead) -> bool:
        """On the writer's thread."""
        return not (flight.void or self._closed) and self._store.write_ahead(ahead)

    def _written(self, flight: Flight, error: Exception | None) -> None:
        if self._closed:
            return
        ahead = self._ahead.pop(flight)
        self._ahead_bytes -= len(ahead.payload)
        flight.actor.ahead = False
        if error is not None and not flight.void:
            self.settle([flight], error)
        if error is not None or flight.void:
            self._forget(ahead)
            return
        flight.append = msgspec.structs.replace(flight.append, ahead=ahead.name)
        flight.size -= len(ahead.payload)
        flight.ahead = ahead
        self._put(flight)

    def _forget(self, ahead: Ahead) -> None:
        def job() -> bool:
            self._store.forget_ahead(ahead)
            return False

        self._committer.background(job, _left)

    # ---- commits ------------------------------------------------------------------------------
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
        if len(waiting) < len(self._waiting):
            for flight in self._waiting:
                if flight.void and flight.ahead is not None:
                    self._forget(flight.ahead)
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


def large_state(flight: Flight) -> bytes | None:
    """The one state of a flight, where it is too large for a commit with others."""
    states = [r.payload for r in flight.append.records if r.kind is RecordKind.STATE]
    return states[0] if len(states) == 1 and len(states[0]) > AHEAD_BYTES else None


def _left(error: Exception) -> None:
    """A store that is lost has told it with its last commit."""


def _nobody(batch: list[Flight], outcome: Outcomes | Exception) -> None:
    raise AssertionError("the host says who takes the outcomes before it starts")
