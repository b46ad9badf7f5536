"""What the supervisor counts and waits for; with real hosts in tests/ray."""

from __future__ import annotations

import asyncio
import os
import subprocess

from actorkalix_cluster.rayhost.sockets import Peer
from actorkalix_cluster.rayhost.supervise import (
    DEATHS_MAX,
    DEATHS_WITHIN_S,
    Deaths,
    Host,
    _first,
)


def test_five_deaths_within_a_minute_are_too_many() -> None:
    deaths = Deaths()
    assert [deaths.add(at) for at in (0, 1, 2, 3, 4)] == [1, 2, 3, 4, DEATHS_MAX]


def test_deaths_of_long_ago_do_not_count() -> None:
    deaths = Deaths()
    counted = [deaths.add(at * DEATHS_WITHIN_S / 4) for at in range(12)]
    assert counted[:5] == [1, 2, 3, 4, 5]
    assert Deaths().add(10**9) == 1
    apart = Deaths()
    assert [apart.add(at * DEATHS_WITHIN_S * 2) for at in range(9)] == [1] * 9


def test_the_end_of_a_process_is_seen_and_killing_waits_for_it() -> None:
    async def scenario(pid: int) -> None:
        host = Host(None, Peer(pid, os.pidfd_open(pid)))
        assert not host.ended.is_set()
        await host.kill()
        assert host.ended.is_set()

    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        asyncio.run(scenario(process.pid))
        assert process.wait() == -9


def test_the_first_of_several_decides() -> None:
    async def scenario() -> None:
        never, now = asyncio.Event(), asyncio.Event()
        now.set()
        assert await _first(never.wait(), now.wait()) == 1
        assert await _first(now.wait(), never.wait()) == 0

    asyncio.run(scenario())
