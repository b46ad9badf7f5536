"""Processes die at every failpoint, end to end: what was answered holds against what is stored.

For each place a real service loses the process that comes to it for the N-th time, while clients
ask or before they ask again. A file stands for each death (see the grammar of failpoints), so the
process that comes after lives, and a place that was never reached leaves its file behind.
`ACTORKALIX_FAILPOINTS_SEED` repeats the numbers of a run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from actorkalix_storage.failpoints import PLACES, VARIABLE
from actorkalix_storage.lmdbstore import verify
from tests.e2e.recorded import RecordedClients
from tests.e2e.running import Running
from tests.e2e.test_chaos import LEDGERS

pytestmark = pytest.mark.timeout(240)

SEED = int(os.environ.get("ACTORKALIX_FAILPOINTS_SEED", "20260405"))
COMMITS_MAX = 150
MOVES_MAX = 100  # of some 500 shards that move; enough are left for the places after
GROUPS = (
    (("commit.begin", "commit.before_write"), ("open.before_epochs", "open.before_sync")),
    (("commit.before_sync", "commit.after_sync"), ("open.after_sync", "open.after_epochs")),
)
"""Commits and openings at which hosts of one run die: four, for the fifth within a minute would
fence the store."""
BACKGROUND = ("snapshot.piece", "checkpoint.slice")
MOVING = (
    *("receive.before_sync", "receive.after_sync", "seal.before_sync", "seal.after_sync"),
    *("homes.before_sync", "homes.after_sync"),
    *("drop.before_sync", "drop.middle", "drop.after_sync"),
)
"""Where the process dies that moves shards, before there are hosts."""
SWEEPING = "sweep.slice"
RECLAIMING = "compaction.slice"
BOARDS = f"{Path(__file__).parent / 'bulky_service.py'}:service"
AHEAD = "ahead.piece"
STATE_BYTES = 60_000  # less than what is written ahead: it stands in the log
LARGE_BYTES = 900_000  # four transactions of pieces
LOG_BYTES = 32 * 2**20  # of `Options.compact_bytes`


class Deaths:
    """What a run is to die of: places, and how often each is reached until then.

    Args:
        folder: for the files; it is made.
        times: N by place; 0 is the next time after `allow`.
    """

    def __init__(self, folder: Path, times: Mapping[str, int]) -> None:
        folder.mkdir()
        self._files = {place: folder / place for place in times}
        at = {place: f"@{count}" if count else "" for place, count in times.items()}
        text = ";".join(f"{place}=crash{at[place]}?{file}" for place, file in self._files.items())
        print(f"ACTORKALIX_FAILPOINTS_SEED={SEED} {VARIABLE}={text}", file=sys.stderr)
        self.environment = {VARIABLE: text}

    def allow(self, *places: str) -> None:
        """From now on a process may die there, once."""
        for place in places:
            self._files[place].touch()

    def left(self) -> list[str]:
        """Where nobody has died who may."""
        return [place for place, file in self._files.items() if file.exists()]

    async def happen(self, running: Running, count: int) -> None:
        """So many hosts die, and the store is served again."""
        try:
            died = [await asyncio.to_thread(running.wait_for, "host_died") for _ in range(count)]
        except AssertionError as problem:
            raise AssertionError(f"never reached: {', '.join(self.left())}") from problem
        assert {each["reason"] for each in died} == {"it was killed or crashed"}
        assert not self.left(), f"died elsewhere than at {', '.join(self.left())}: {died}"
        await asyncio.to_thread(running.wait_for, "restarted")


def _rng(name: str) -> random.Random:
    return random.Random(f"{SEED} {name}")


def test_every_place_is_among_these() -> None:
    hosts = [place for group in GROUPS for places in group for place in places]
    assert sorted([*hosts, *BACKGROUND, *MOVING, SWEEPING, RECLAIMING, AHEAD]) == sorted(PLACES)


@pytest.mark.parametrize("commits, openings", GROUPS)
def test_hosts_die_at_commits_and_those_after_them_at_openings(
    tmp_path: Path, commits: tuple[str, ...], openings: tuple[str, ...]
) -> None:
    rng = _rng(commits[0])
    times = {place: rng.randint(2, COMMITS_MAX) for place in commits}
    deaths = Deaths(tmp_path / "deaths", times | dict.fromkeys(openings, 1))

    async def scenario(running: Running) -> RecordedClients:
        clients = RecordedClients(seed=rng.randrange(1 << 30))
        async with clients.asking(running.url):
            await deaths.happen(running, len(commits) + len(openings))
            await clients.some_more(100)
        return clients

    data = tmp_path / "data"
    deaths.allow(*commits)
    with Running(data, LEDGERS, environment=deaths.environment) as running:
        deaths.allow(*openings)  # of the hosts that take the place of those that die
        clients = asyncio.run(scenario(running))
    print(clients.judge(data), file=sys.stderr)


def test_a_host_dies_at_a_snapshot_and_one_that_is_replaced_at_its_last_checkpoint(
    tmp_path: Path,
) -> None:
    rng = _rng("background")
    snapshot, checkpoint = BACKGROUND
    # Checkpoints come by time too, so the number of the last one is not known.
    deaths = Deaths(tmp_path / "deaths", {snapshot: rng.randint(1, 4), checkpoint: 0})

    async def scenario(running: Running) -> RecordedClients:
        clients = RecordedClients(ledgers=4, seed=rng.randrange(1 << 30))
        async with clients.asking(running.url):
            await deaths.happen(running, 1)
            await clients.some_more(100)
            deaths.allow(checkpoint)
            async with httpx.AsyncClient(base_url=running.admin, timeout=60) as admin:
                answer = await admin.post("/admin/replace", json={"store": 0})
            assert answer.status_code == 200, answer.text
            assert not deaths.left(), f"never reached: {checkpoint}"
            await clients.some_more(100)
        return clients

    data = tmp_path / "data"
    deaths.allow(snapshot)
    with Running(data, LEDGERS, environment=deaths.environment) as running:
        clients = asyncio.run(scenario(running))
    print(clients.judge(data), file=sys.stderr)


def test_a_move_dies_at_every_step_and_a_host_that_sweeps_up_after_it(
    tmp_path: Path,
) -> None:
    rng, data = _rng("moving"), tmp_path / "data"
    times = {place: rng.randint(1, MOVES_MAX) for place in MOVING}
    # The new store gets the old table; when all is moved, both get the new one in one go.
    times["homes.before_sync"] = rng.randint(1, 2)
    times["homes.after_sync"] = 3 - times["homes.before_sync"]
    deaths = Deaths(tmp_path / "deaths", times | {SWEEPING: rng.randint(1, 10)})
    clients = RecordedClients(seed=rng.randrange(1 << 30))

    async def before(running: Running) -> None:
        async with clients.asking(running.url):
            await clients.some_more(400)

    async def after(running: Running) -> None:
        async with clients.asking(running.url):
            await deaths.happen(running, 1)
            await clients.some_more(400)

    with Running(data, LEDGERS, "--hosts", "1") as running:
        asyncio.run(before(running))
    moving = Running(data, LEDGERS, "--hosts", "2", environment=deaths.environment)
    deaths.allow(*MOVING)
    while left := deaths.left():
        _die_moving(moving, left)
        assert len(deaths.left()) == len(left) - 1, "one place a death"
    deaths.allow(SWEEPING)
    with moving:
        asyncio.run(after(moving))
    print(clients.judge(data), file=sys.stderr)


@pytest.mark.parametrize("time", [1, 2])
def test_a_host_dies_reclaiming_and_the_next_one_ends_it(tmp_path: Path, time: int) -> None:
    """Once before its holes are durable, once before the log rows are deleted."""
    data, written = tmp_path / "data", 0
    deaths = Deaths(tmp_path / "deaths", {RECLAIMING: time})

    async def write(client: httpx.AsyncClient, board: str) -> None:
        nonlocal written
        path = f"/board/{board}/write"
        answer = await client.post(path, json={"size": STATE_BYTES})
        written += answer.is_success

    async def scenario(running: Running) -> None:
        async with (
            httpx.AsyncClient(base_url=running.url, timeout=60) as client,
            httpx.AsyncClient(base_url=running.admin, timeout=60) as admin,
        ):
            while written < 2 * LOG_BYTES // STATE_BYTES:
                await write(client, f"b{written % 3}")
            # A host that leaves writes a checkpoint: the next one may reclaim what is before it.
            answer = await admin.post("/admin/replace", json={"store": 0})
            assert answer.status_code == 200, answer.text
            deaths.allow(RECLAIMING)
            await write(client, "b0")
            await deaths.happen(running, 1)
            while not await _reclaimed(admin):
                await write(client, "b1")
            times = [(await client.get(f"/boards/b{board}")).json() for board in range(3)]
            assert sum(times) >= written

    with Running(data, BOARDS, environment=deaths.environment) as running:
        asyncio.run(scenario(running))
    findings = verify(data / "store-0")
    assert findings.ok, findings


def test_hosts_die_with_states_half_written_and_those_before_stand(tmp_path: Path) -> None:
    data, rng = tmp_path / "data", _rng("ahead")
    deaths = Deaths(tmp_path / "deaths", {AHEAD: rng.randint(5, 40)})
    stored: dict[str, int] = dict.fromkeys(("b0", "b1", "b2"), 0)

    async def write(client: httpx.AsyncClient, board: str, size: int) -> None:
        with contextlib.suppress(httpx.TransportError):  # it died
            answer = await client.post(f"/board/{board}/write", json={"size": size})
            if answer.is_success:
                stored[board] = answer.json()

    async def scenario(running: Running) -> None:
        async with httpx.AsyncClient(base_url=running.url, timeout=60) as client:
            while deaths.left():
                await asyncio.gather(*(write(client, board, LARGE_BYTES) for board in stored))
            await deaths.happen(running, 1)
            for board, times in stored.items():
                found = (await client.get(f"/boards/{board}")).json()
                assert times <= found <= times + 1
                stored[board] = found
            for size in (LARGE_BYTES, 10):
                await asyncio.gather(*(write(client, board, size) for board in stored))
            for board, times in stored.items():
                assert (await client.get(f"/boards/{board}")).json() == times

    deaths.allow(AHEAD)
    with Running(data, BOARDS, environment=deaths.environment) as running:
        asyncio.run(scenario(running))
    findings = verify(data / "store-0")
    assert findings.ok, findings


async def _reclaimed(admin: httpx.AsyncClient) -> bool:
    text = (await admin.get("/metrics")).text
    lines = [line for line in text.splitlines() if "actorkalix_reclaimed_bytes_total{" in line]
    return any(float(line.split()[-1]) > LOG_BYTES for line in lines)


def _die_moving(running: Running, left: list[str]) -> None:
    """Start it in vain: the process that moves shards dies."""
    try:
        code, number, message = running.refused()
    except subprocess.TimeoutExpired as problem:  # it serves
        raise AssertionError(f"never reached: {', '.join(left)}") from problem
    assert (code, number) == (4, "AK5006"), message
    assert "SIGKILL" in message
