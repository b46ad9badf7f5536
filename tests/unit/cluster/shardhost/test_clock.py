"""The real clock."""

from __future__ import annotations

import asyncio
import time

from actorkalix_cluster.shardhost.clock import RealClock
from tests.unit.cluster.shardhost.rig import run


def test_it_tells_the_time_and_calls_later() -> None:
    async def case() -> None:
        clock = RealClock()
        assert abs(clock.now_ms() - time.time() * 1000) < 1_000
        called: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        cancelled = clock.call_later(0, lambda: called.set_exception(AssertionError("cancelled")))
        cancelled.cancel()
        clock.call_later(1, lambda: called.set_result(None))
        await called

    run(case())
