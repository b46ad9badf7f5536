"""Deadlines: the semantics of `asyncio.timeout`, one timer for all."""

from __future__ import annotations

import asyncio

import pytest

from actorkalix.gateway.deadlines import Deadlines


def test_what_waits_too_long_is_left_by_timeout_error() -> None:
    async def run() -> None:
        deadlines = Deadlines()
        with pytest.raises(TimeoutError), deadlines.within(0.001):
            await asyncio.Event().wait()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    asyncio.run(run())


def test_what_is_in_time_is_left_alone() -> None:
    async def run() -> None:
        deadlines = Deadlines()
        late = asyncio.Event()
        with deadlines.within(60), pytest.raises(TimeoutError), deadlines.within(0.001):
            await late.wait()
        with deadlines.within(0.001) as wait:
            wait.extend(60)
            assert wait.until > asyncio.get_running_loop().time() + 50

    asyncio.run(run())


def test_a_cancel_from_elsewhere_stays_one() -> None:
    async def run() -> None:
        deadlines = Deadlines()
        started = asyncio.Event()

        async def work() -> None:
            with deadlines.within(60):
                started.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
