"""What asyncio builds on a loop works on virtual time, in any order that it allows."""

from __future__ import annotations

import asyncio
from asyncio import sleep as virtual_sleep  # of the simulation's loop
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from actorkalix.testkit.simulation.chance import Chance
from actorkalix.testkit.simulation.loop import SimulationLoop

SEEDS = range(5)


def run(program: Callable[[], Coroutine[Any, Any, None]]) -> None:
    for seed in SEEDS:
        loop = SimulationLoop(Chance(seed))
        loop.run_until_complete(program())
        assert loop.problems == []
        loop.close()


def now() -> float:
    return asyncio.get_running_loop().time()


def test_timeouts() -> None:
    async def program() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await virtual_sleep(10)
        assert now() == 0.5
        async with asyncio.timeout(5) as timeout:
            await virtual_sleep(1)
        assert not timeout.expired()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.5)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout_at(1):  # has passed
                await virtual_sleep(1)
        assert now() == 2

    run(program)


def test_gather_and_wait() -> None:
    async def program() -> None:
        delays = (0.3, 0.1, 0.2)
        assert await asyncio.gather(*(virtual_sleep(each, each) for each in delays)) == [*delays]
        tasks = [asyncio.create_task(virtual_sleep(each, each)) for each in delays]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result() for task in done] == [0.1]
        done, pending = await asyncio.wait(pending, timeout=0.15)
        assert [task.result() for task in done] == [0.2]
        (last,) = pending
        last.cancel()
        with pytest.raises(asyncio.CancelledError):
            await last
        ended = [await each for each in asyncio.as_completed(map(slow, delays))]
        assert ended == sorted(delays)

    async def slow(delay: float) -> float:
        return await virtual_sleep(delay, delay)

    run(program)


def test_task_groups() -> None:
    async def program() -> None:
        ended: list[str] = []

        async def waits() -> None:
            try:
                await virtual_sleep(10)
            finally:
                ended.append("cancelled")

        async def fails() -> None:
            await virtual_sleep(1)
            raise ValueError("broken")

        async def group_of_both() -> None:
            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(waits()).add_done_callback(str)
                group.create_task(fails()).add_done_callback(str)

        with pytest.raises(ExceptionGroup) as caught:
            await group_of_both()
        assert caught.group_contains(ValueError, match="broken")
        assert (ended, now()) == (["cancelled"] * 3, 1)

    run(program)


def test_queues_locks_and_conditions() -> None:
    async def program() -> None:
        queue = asyncio.Queue[int](2)
        taken: list[int] = []

        async def puts() -> None:
            for number in range(10):
                await queue.put(number)
                await virtual_sleep(0.001 * (number % 3))

        async def takes() -> None:
            while True:
                taken.append(await queue.get())
                queue.task_done()

        taker = asyncio.create_task(takes())
        await puts()
        await queue.join()
        taker.cancel()
        assert taken == [*range(10)]

        lock, inside = asyncio.Lock(), 0

        async def alone() -> None:
            nonlocal inside
            async with lock:
                inside += 1
                await virtual_sleep(0.01)
                assert inside == 1
                inside -= 1

        await asyncio.gather(*(alone() for _ in range(10)))
        semaphore = asyncio.Semaphore(2)
        began = now()

        async def pairs() -> None:
            async with semaphore:
                await virtual_sleep(1)

        await asyncio.gather(*(pairs() for _ in range(10)))
        assert now() - began == pytest.approx(5)

    run(program)


def test_events_and_shields() -> None:
    async def program() -> None:
        event = asyncio.Event()
        waiters = [asyncio.create_task(event.wait()) for _ in range(5)]
        asyncio.get_running_loop().call_later(1, event.set)
        assert all(await asyncio.gather(*waiters))
        work = asyncio.create_task(virtual_sleep(1, "done"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await asyncio.shield(work)
        assert await work == "done"

    run(program)


def test_runners_take_it() -> None:
    async def program() -> float:
        asyncio.create_task(virtual_sleep(60)).add_done_callback(str)
        await virtual_sleep(5)
        return now()

    with asyncio.Runner(loop_factory=lambda: SimulationLoop(Chance(1))) as runner:
        assert runner.run(program()) == 5
