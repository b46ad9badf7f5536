"""Who does the store's work, and in what order."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from actorkalix_cluster.shardhost.committer import (
    COMMITS_PER_SLICE,
    Committer,
    InlineCommitter,
    Outcomes,
    ThreadCommitter,
)
from actorkalix_storage.api import Append, Appended, Record, RecordKind, StoreFull
from actorkalix_storage.memorystore import MemoryStore
from tests.unit.cluster.shardhost.rig import new_store, run

Make = Callable[[MemoryStore], Committer]
BOTH = pytest.mark.parametrize("make", [InlineCommitter, ThreadCommitter])


def appends(count: int, version: int = 0) -> list[Append]:
    """One record for each of some subjects."""
    return [
        Append(0, 1, version, (Record(RecordKind.EVENT, "c", f"e{n}", version + 1, 0),))
        for n in range(count)
    ]


async def commit(committer: Committer, batch: list[Append]) -> Outcomes | Exception:
    """Commit and wait."""
    done: asyncio.Future[Outcomes | Exception] = asyncio.get_running_loop().create_future()
    committer.commit(batch, done.set_result)
    assert not done.done(), "results come later, never from inside of the call"
    return await done


@BOTH
def test_commits_and_their_errors_come_back_on_the_loop(make: Make) -> None:
    async def case() -> None:
        store = new_store()
        committer = make(store)
        assert await committer.run(lambda: store.open_shards([0], 0)) == {0: 1}
        outcome = await commit(committer, appends(3))
        assert isinstance(outcome, list)
        assert [type(one) for one in outcome] == [Appended] * 3
        store.fail_next_commit(StoreFull("no space"))
        assert isinstance(await commit(committer, appends(3, 1)), StoreFull)
        committer.close()
        committer.close()

    run(case())


@BOTH
def test_run_raises_what_the_job_raises(make: Make) -> None:
    async def case() -> None:
        committer = make(new_store())
        with pytest.raises(ZeroDivisionError):
            await committer.run(lambda: 1 // 0)
        committer.close()

    run(case())


@BOTH
def test_reads_come_back_in_order(make: Make) -> None:
    async def case() -> None:
        committer = make(new_store())
        last: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        found: list[Any] = []

        def done(outcome: Any) -> None:
            found.append(outcome)
            if len(found) == 100:
                last.set_result(None)

        def read(n: int) -> Callable[[], int]:
            return lambda: n

        for n in range(100):
            committer.read(read(n), done)
        assert found == []
        await last
        assert found == list(range(100))
        committer.close()

    run(case())


@BOTH
def test_slices_go_on_while_they_say_so_and_their_errors_are_told(make: Make) -> None:
    async def case() -> None:
        committer = make(new_store())
        over: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        slices: list[bool] = [True, True, False]
        seen: list[bool] = []

        def job() -> bool:
            seen.append(slices[len(seen)])
            return seen[-1]

        def last() -> bool:
            if seen != slices:
                return True
            raise StoreFull("no space")

        committer.background(job, over.set_result)
        committer.background(last, over.set_result)
        assert isinstance(await over, StoreFull)
        committer.close()

    run(case())


def test_all_writes_are_on_one_thread_and_reads_on_another() -> None:
    async def case() -> None:
        committer = ThreadCommitter(new_store())
        loop = asyncio.get_running_loop()
        sliced: asyncio.Future[int] = loop.create_future()
        read: asyncio.Future[Any] = loop.create_future()

        def job() -> bool:
            loop.call_soon_threadsafe(sliced.set_result, threading.get_ident())
            return False

        committer.background(job, print)
        committer.read(threading.get_ident, read.set_result)
        writer = await committer.run(threading.get_ident)
        assert await sliced == writer
        assert await read not in (writer, threading.get_ident())
        committer.close()

    run(case())


def test_a_busy_writer_still_gets_to_its_slices() -> None:
    async def case() -> None:
        committer = ThreadCommitter(new_store())
        order: list[str] = []
        free, over = threading.Event(), asyncio.get_running_loop().create_future()

        def done(outcome: Any) -> None:
            if len(order) == 1 + 2 * COMMITS_PER_SLICE:
                over.set_result(None)

        committer._writer.put(free.wait, done)

        def job() -> bool:
            order.append("slice")
            return False

        committer.background(job, print)
        for _ in range(2 * COMMITS_PER_SLICE):
            committer._writer.put(lambda: order.append("commit"), done)
        free.set()
        await over
        assert 0 < order.index("slice") <= COMMITS_PER_SLICE
        committer.close()

    run(case())


def test_a_loop_that_has_ended_is_no_error_of_the_thread() -> None:
    free = threading.Event()
    committer = ThreadCommitter(new_store())

    async def case() -> threading.Thread:
        committer._reader.put(free.wait, print)
        thread = committer._reader._thread
        assert thread is not None
        return thread

    thread = run(case())
    free.set()
    committer.close()
    thread.join(10)
    assert not thread.is_alive()
