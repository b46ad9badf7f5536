"""A simulated disk, and the committer that works on it for one process.

Theory of operation. What a `MemoryStore` has in its journal is what is on the disk. Everything else
is the process's and ends with it: `Disk.open` recovers from the journal alone, and only when the
process before has ended, as the lock of a folder has it.

A write takes its time, and whatever comes first decides: it ends, and only then is anybody told; or
its process is killed in the midst of it, and a coin says whether the disk has it (LMDB's meta page
is there or it is not: a torn commit is one that is not). A process that is stopped has its writes
stopped with it. A failing disk is told from a lying one: `fails` and `full` leave nothing behind
and say so; `breaks` is a sync that fails, after which nobody knows, and the coin decides.

Reads are done one after the other beside the writes, as by a thread of their own, and told some
time later: what was read may be old by then.

The steps of the commit path at which a process may be killed are named as failpoints are:
`before_write`, `after_write` (on disk, nobody told), and `before_reply`, which is the world's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from actorkalix_cluster.shardhost.committer import Outcomes, outcome_of, result_of
from actorkalix_storage.api import Append, DurabilityLost, Refused, StoreFull, StoreIdentity
from actorkalix_storage.memorystore import MemoryStore

from .chance import Chance
from .faults import Conditions, CrashPoint
from .loop import SimulationLoop
from .processes import Process
from .trace import Trace

T = TypeVar("T")
READ_US_MAX = 100
SLICE_US = 1_000
SLOW_TIMES = 50
DISK_FAILED = "the simulated disk failed to sync"


class Steps(Protocol):
    """What a world wants to know of a disk's work."""

    def reached(self, process: Process, point: CrashPoint) -> bool:
        """A process has come to a step; True when it was killed there."""
        ...

    def refused(self, process: Process, refusal: Refused) -> None:
        """A process has handed over an append that the store did not take."""
        ...


class Disk:
    """What one store has on disk, whoever has it open.

    Args:
        identity: of the store.

    Attributes:
        full: it takes no more now.
    """

    def __init__(self, identity: StoreIdentity) -> None:
        self.number = identity.number
        self.full = False
        self.store = MemoryStore(identity)
        self._holder: Process | None = None

    def open(self, process: Process, *, is_twin: bool = False) -> MemoryStore:
        """Recover the store; the process that had it has ended, and never writes again.

        Args:
            process: that opens it.
            is_twin: there is no lock, and the process that had it may go on. Both see one disk.
        """
        if self._holder is not None and not is_twin:
            assert not self._holder.alive, "the folder is locked"
            self.store = self.store.crash()
        self._holder = process
        return self.store


class _Job(msgspec.Struct):
    """A write that waits or is under way."""

    name: str
    do: Callable[[], Any]
    done: Callable[[Any], object]
    appends: Sequence[Append] = ()


class SimulatedCommitter:
    """A `Committer` on virtual time: writes one at a time, in order; reads beside them.

    Args:
        disk: that the store is on.
        process: whose committer it is; it ends with it.
        loop: all of it happens there.
        chance: of this opening.
        conditions: how long things take, and how often they fail.
        steps: is told what is done.
        trace: of the run.
    """

    def __init__(
        self,
        disk: Disk,
        process: Process,
        *,
        loop: SimulationLoop,
        chance: Chance,
        conditions: Conditions,
        steps: Steps,
        trace: Trace,
    ) -> None:
        self._disk = disk
        self._store = disk.store
        self._process = process
        self._loop = loop
        self._chance = chance
        self._conditions = conditions
        self._steps = steps
        self._trace = trace
        self._writes: deque[_Job] = deque()
        self._slices: deque[_Job] = deque()
        self._now: _Job | None = None
        self._read_us = 0  # until then there are reads

    # ---- Committer ------------------------------------------------------------------------------
    def commit(
        self, appends: Sequence[Append], done: Callable[[Outcomes | Exception], object]
    ) -> None:
        """Commit a batch."""
        self._add(_Job("commit", lambda: self._store.commit(appends), done, appends))

    def read(self, job: Callable[[], T], done: Callable[[T | Exception], object]) -> None:
        """Read, some microseconds later, and tell it some microseconds after that."""
        loop, chance = self._loop, self._chance
        at_us = max(self._read_us, loop.now_us) + chance.integer(1, READ_US_MAX)
        self._read_us = told_us = at_us + chance.integer(1, READ_US_MAX)
        loop.call_at_us(at_us, lambda: loop.call_at_us(told_us, done, outcome_of(job)))

    def background(
        self,
        job: Callable[[], bool],
        failed: Callable[[Exception], object],
        over: Callable[[], object] | None = None,
    ) -> None:
        """Do slices while no other write waits."""

        def done(outcome: bool | Exception) -> None:
            if isinstance(outcome, Exception):
                failed(outcome)
            elif outcome:
                self._slices.append(slice_)
            elif over is not None:
                over()

        slice_ = _Job("slice", job, done)
        self._slices.append(slice_)
        self._begin()

    async def run(self, job: Callable[[], T]) -> T:
        """Do a write and wait for it."""
        return await result_of(self._write, job)

    def close(self) -> None:
        """Slices that wait are left out."""
        self._slices.clear()

    # ---- a life and its end --------------------------------------------------------------------
    def killed(self) -> None:
        """The process has just been killed: what becomes of the write that was under way."""
        job, self._now = self._now, None
        self._writes.clear()
        self._slices.clear()
        if job is not None and self._chance.happens(self._conditions.rates.torn):
            outcome = outcome_of(job.do)
            self._trace(f"{self._process.name}: killed in a {job.name}, which is {_word(outcome)}")

    def _write(self, job: Callable[[], T], done: Callable[[T | Exception], object]) -> None:
        self._add(_Job("run", job, done))

    def _add(self, job: _Job) -> None:
        self._writes.append(job)
        self._begin()

    def _begin(self) -> None:
        """Begin the next write, unless one is under way."""
        if self._now is not None or not (self._writes or self._slices):
            return
        job = (self._writes or self._slices).popleft()
        if job.appends and self._steps.reached(self._process, "before_write"):
            return
        self._now = job
        self._loop.call_later(self._duration_us(job) / 1e6, self._end, job)

    def _duration_us(self, job: _Job) -> int:
        if job.name == "slice":
            return SLICE_US
        rates, chance = self._conditions.rates, self._chance
        us = rates.commit_min_us + chance.exponential_us(rates.commit_mean_us)
        return us * SLOW_TIMES if chance.happens(rates.commit_slow) else us

    def _end(self, job: _Job) -> None:
        outcome = self._outcome(job)
        self._now = None  # it is decided, also for a process that is killed in the next step
        if job.appends:
            self._trace(f"{self._process.name}: {len(job.appends)} appends {_word(outcome)}")
            for one in () if isinstance(outcome, Exception) else outcome:
                if isinstance(one, Refused):
                    self._steps.refused(self._process, one)
            if self._steps.reached(self._process, "after_write"):
                return
        job.done(outcome)
        self._begin()

    def _outcome(self, job: _Job) -> Any:
        """What the disk makes of a write."""
        if job.appends:
            if self._disk.full or self._chance.happens(self._conditions.rates.commit_fails):
                self._store.fail_next_commit(StoreFull("the simulated disk is full"))
            elif self._chance.happens(self._conditions.rates.commit_breaks):
                lost = DurabilityLost(DISK_FAILED)
                self._store.fail_next_commit(lost, stored=self._chance.happens(0.5))
        outcome = outcome_of(job.do)
        self._store.fail_next_commit(None)  # what was refused alone never got to it
        return outcome


def _word(outcome: Any) -> str:
    return f"failed: {outcome}" if isinstance(outcome, Exception) else "stored"
