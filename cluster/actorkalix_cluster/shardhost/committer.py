"""Who does a store's work: all writes one at a time, reads beside them, neither on the event loop.

Theory of operation. Jobs go in on the loop, results come back on the loop: `done` is called there
later, never from inside of the call, with what the job returned or the exception that it raised.
Writes are done in the order in which they came. Background slices (snapshots, checkpoints,
reclaiming) are writes too; one of them runs when no other write waits, and after every 32 commits
when that never happens, so that a busy store still gets its checkpoints.

`ThreadCommitter` has one thread for writes and one for reads; a store's `commit` spends its time
in the sync, where the loop runs on. Results of several jobs come back with one wake-up of the
loop. `InlineCommitter` works on the loop: for the memory store and for tests, where every run is
to be the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from actorkalix_storage.api import Append, Appended, Refused, Store

T = TypeVar("T")
Outcomes = list[Appended | Refused]

COMMITS_PER_SLICE = 32  # a slice is bounded to some milliseconds; more often would show in the p99


class Committer(Protocol):
    """Does the work of one store. All methods are called on the loop."""

    def commit(
        self, appends: Sequence[Append], done: Callable[[Outcomes | Exception], object]
    ) -> None:
        """Commit a batch."""
        ...

    def read(self, job: Callable[[], T], done: Callable[[T | Exception], object]) -> None:
        """Do what any thread may do with the store."""
        ...

    def background(
        self,
        job: Callable[[], bool],
        failed: Callable[[Exception], object],
        over: Callable[[], object] | None = None,
    ) -> None:
        """Do a slice of writing when there is time; again as long as it returns True.

        Args:
            job: the slice.
            failed: is told what it raised; there are no more slices then.
            over: is told when it has returned False.
        """
        ...

    async def run(self, job: Callable[[], T]) -> T:
        """Do a write and wait for it.

        Cancellation: the job is done all the same.
        """
        ...

    def close(self) -> None:
        """End the threads when they have done what they have."""
        ...


async def read(committer: Committer, job: Callable[[], T]) -> T:
    """Read and wait for it; when it returns, all reads that were asked for before are over, too.

    Raises:
        Exception: what the job raised.
    """
    return await result_of(committer.read, job)


async def result_of(
    put: Callable[[Callable[[], T], Callable[[T | Exception], object]], None], job: Callable[[], T]
) -> T:
    """Put a job in and wait for its result.

    Raises:
        Exception: what the job raised.
    """
    result: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def done(outcome: T | Exception) -> None:
        if result.cancelled():
            return
        if isinstance(outcome, Exception):
            result.set_exception(outcome)
        else:
            result.set_result(outcome)

    put(job, done)
    return await result


class InlineCommitter:
    """Works on the loop, at once; only results come later."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def commit(
        self, appends: Sequence[Append], done: Callable[[Outcomes | Exception], object]
    ) -> None:
        """Commit a batch."""
        outcome = outcome_of(lambda: self._store.commit(appends))
        asyncio.get_running_loop().call_soon(done, outcome)

    def read(self, job: Callable[[], T], done: Callable[[T | Exception], object]) -> None:
        """Do a job."""
        asyncio.get_running_loop().call_soon(done, outcome_of(job))

    def background(
        self,
        job: Callable[[], bool],
        failed: Callable[[Exception], object],
        over: Callable[[], object] | None = None,
    ) -> None:
        """Do all slices."""
        outcome = outcome_of(job)
        while outcome is True:
            outcome = outcome_of(job)
        if isinstance(outcome, Exception):
            asyncio.get_running_loop().call_soon(failed, outcome)
        elif over is not None:
            asyncio.get_running_loop().call_soon(over)

    async def run(self, job: Callable[[], T]) -> T:
        """Do a job."""
        return job()

    def close(self) -> None:
        """Nothing is left to end."""


class ThreadCommitter:
    """One daemon thread for all writes of a store, one for reads; they start with the first job."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._writer = _Worker("actorkalix-writes")
        self._reader = _Worker("actorkalix-reads")

    def commit(
        self, appends: Sequence[Append], done: Callable[[Outcomes | Exception], object]
    ) -> None:
        """Commit a batch."""
        self._writer.put(lambda: self._store.commit(appends), done)

    def read(self, job: Callable[[], T], done: Callable[[T | Exception], object]) -> None:
        """Do a job on the reader's thread."""
        self._reader.put(job, done)

    def background(
        self,
        job: Callable[[], bool],
        failed: Callable[[Exception], object],
        over: Callable[[], object] | None = None,
    ) -> None:
        """Do a slice between two commits."""
        self._writer.put_slice(job, failed, over)

    async def run(self, job: Callable[[], T]) -> T:
        """Do a job on the writer's thread."""
        return await result_of(self._writer.put, job)

    def close(self) -> None:
        """End the threads when they have done what they have."""
        self._writer.close()
        self._reader.close()


class _Worker:
    """A thread: jobs in order, slices between them, one wake-up of the loop for many results."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._slices: deque[Callable[[], object]] = deque()
        self._since_slice = 0
        self._results: deque[tuple[Callable[[Any], object], Any]] = deque()
        self._told = False  # the loop will look at the results

    # ---- on the loop --------------------------------------------------------------------------
    def put(self, job: Callable[[], T], done: Callable[[T | Exception], object]) -> None:
        """Do a job."""
        self._start()
        self._jobs.put(lambda: self._back(done, outcome_of(job)))

    def put_slice(
        self,
        job: Callable[[], bool],
        failed: Callable[[Exception], object],
        over: Callable[[], object] | None = None,
    ) -> None:
        """Do a slice when there is time."""
        self._start()

        def once() -> None:
            outcome = outcome_of(job)
            if isinstance(outcome, Exception):
                self._back(failed, outcome)
            elif outcome:
                self._slices.append(once)
            elif over is not None:
                self._back(_called, over)

        self._slices.append(once)
        self._jobs.put(_nothing)  # wakes the thread

    def close(self) -> None:
        """End when all jobs are done; slices that still wait are left out."""
        if self._thread is not None:
            self._jobs.put(None)

    def _start(self) -> None:
        if self._thread is None:
            self._loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def _deliver(self) -> None:
        self._told = False  # before looking: what comes from now on tells the loop again
        while self._results:
            done, outcome = self._results.popleft()
            done(outcome)

    # ---- on the thread ------------------------------------------------------------------------
    def _run(self) -> None:
        while True:
            if self._slices and (self._jobs.empty() or self._since_slice >= COMMITS_PER_SLICE):
                self._since_slice = 0
                self._slices.popleft()()
                continue
            job = self._jobs.get()
            if job is None:
                return
            self._since_slice += 1
            job()

    def _back(self, done: Callable[[Any], object], outcome: Any) -> None:
        assert self._loop is not None, "jobs come after the start"
        self._results.append((done, outcome))
        if not self._told:
            self._told = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._deliver)


def outcome_of(job: Callable[[], T]) -> T | Exception:
    """What the job returns or raises; whoever waits for it decides what that means."""
    try:
        return job()
    except Exception as error:  # noqa: BLE001  handed over whole
        return error


def _called(over: Callable[[], object]) -> None:
    over()


def _nothing() -> None:
    """A job that only wakes its thread."""
