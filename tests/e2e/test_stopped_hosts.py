"""Hosts that SIGSTOP holds at the worst moments: killed, replaced, and never heard of again.

A host that stands still owns its shards until it is killed for its silence, and nothing it would
have said is said. Where it stood decides what is stored: before the sync nothing of the command,
after the sync all of it; in both cases its caller is told that nobody knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.clients import Clients, judge
from tests.e2e.running import Running
from tests.e2e.test_chaos import LEDGERS

SEED = int(os.environ.get("ACTORKALIX_STOP_SEED", "20260309"))
HOSTS = 2
UNKNOWN = {"AK3101", "AK3102"}
PLACES = ("commit.before_sync", "commit.after_sync")
STORED = ("commit.after_sync",)
ROUNDS = 4
RUNS_ON_S_MAX = 0.003  # what a host that goes on gets done before its end: some commands
STOPPED_S_MAX = 20.0
_numbers = itertools.count()


async def _add(http: httpx.AsyncClient, ledger: str, token: str) -> int:
    """Add a token and be told so; gives the number of tokens."""
    answer = await http.post(f"/ledger/{ledger}/add", json={"token": token})
    assert answer.status_code == 200, answer.text
    return int(answer.json())


async def _tokens(http: httpx.AsyncClient, ledger: str) -> list[str]:
    answer = await http.get(f"/ledgers/{ledger}")
    assert answer.status_code == 200, answer.text
    tokens: list[str] = answer.json()["tokens"]
    return tokens


async def _stored(running: Running, ledger: str) -> list[dict[str, Any]]:
    """The events of a ledger, payloads alone."""
    async with httpx.AsyncClient(base_url=running.admin, timeout=30) as admin:
        answer = await admin.get(f"/admin/events/ledger/{ledger}", params={"limit": 1000})
    answer.raise_for_status()
    return [event["payload"] for event in answer.json() if event["kind"] == "event"]


class Stopping:
    """A service whose hosts can be told to stop in a commit."""

    def __init__(self, folder: Path) -> None:
        self._files = {place: folder / place for place in PLACES}
        failpoints = ";".join(f"{place}=stop?{file}" for place, file in self._files.items())
        self.running = Running(
            folder / "data",
            LEDGERS,
            *("--hosts", str(HOSTS)),
            environment={"ACTORKALIX_FAILPOINTS": failpoints},
        )

    def allow(self, place: str) -> None:
        """The host that comes there next stops."""
        self._files[place].touch()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stopping]:
    """One service for all of these tests; none of its stores loses five hosts within a minute."""
    service = Stopping(tmp_path_factory.mktemp("stopping"))
    with service.running:
        yield service


async def _one_of_each_host(running: Running, http: httpx.AsyncClient) -> dict[int, str]:
    """A new ledger with the token `first`, by the process that wrote it, for every host."""
    found: dict[int, str] = {}
    while len(found) < HOSTS:
        ledger = f"own-{next(_numbers)}"
        assert await _add(http, ledger, "first") == 1
        found.setdefault((await _stored(running, ledger))[0]["pid"], ledger)
    return found


async def _outcome(call: Any) -> httpx.Response | None:
    """The answer of a service, None when the connection broke instead."""
    try:
        answer: httpx.Response = await call
    except httpx.TransportError:
        return None
    return answer


async def _stopped(pid: int) -> None:
    """Return when a process stands still."""
    until = time.monotonic() + STOPPED_S_MAX
    while _state(pid) != "T":
        assert time.monotonic() < until, f"process {pid} goes on"
        await asyncio.sleep(0.001)


def _state(pid: int) -> str:
    """One letter of proc(5)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _wake_and_kill(pid: int, seconds: float) -> None:
    """Let a process go on for so long; nothing of ours goes on beside it."""
    os.kill(pid, signal.SIGCONT)
    time.sleep(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


async def _replaced(running: Running, pids: set[int]) -> None:
    """Wait until hosts were killed for their silence and others serve; then wake them in vain."""
    missing = set(pids)
    served = 0
    while missing or served < len(pids):
        event = await asyncio.to_thread(running.wait_for, "host_died", "restarted")
        if event["event"] == "restarted":
            served += 1
            continue
        assert "no sign of life" in event["reason"], event
        missing.remove(event["pid"])
        with pytest.raises(ProcessLookupError):
            os.kill(event["pid"], signal.SIGCONT)


def _assert_unknown(answer: httpx.Response | None) -> None:
    if answer is not None:
        problem = answer.json()
        assert answer.status_code in (503, 504), problem
        assert (problem["number"] in UNKNOWN, problem["outcome"]) == (True, "unknown"), problem


# ---- for good -----------------------------------------------------------------------------
async def _stop_inside_handlers(running: Running, clients: Clients) -> None:
    """One host stops in a handler that would persist, the other in one that would refuse."""
    async with httpx.AsyncClient(base_url=running.url, timeout=30) as http:
        (adding, first), (refusing, second) = (await _one_of_each_host(running, http)).items()
        await clients.wait_for(clients.acks + 50)
        calls = (
            http.post(f"/ledger/{first}/stop-and-add", json={"token": "never"}),
            http.post(f"/ledger/{second}/stop-and-refuse"),
        )
        answers = [asyncio.create_task(_outcome(call)) for call in calls]
        await asyncio.gather(_stopped(adding), _stopped(refusing))
        reading = asyncio.create_task(_outcome(http.get(f"/ledgers/{first}")))
        await _replaced(running, {adding, refusing})
        for answer in answers:
            _assert_unknown(await answer)
        read = await reading
        assert read is None or read.status_code != 200 or read.json()["tokens"] == ["first"]
        for ledger in (first, second):
            assert await _tokens(http, ledger) == ["first"], "nothing was decided"
            assert await _add(http, ledger, "next") == 2
            wrote = [event["pid"] for event in await _stored(running, ledger)]
            assert wrote[1] not in (adding, refusing)


@pytest.mark.timeout(120)
def test_hosts_that_stop_under_load_are_replaced_and_say_nothing_more(service: Stopping) -> None:
    async def scenario(running: Running) -> Clients:
        clients = Clients(running.url, seed=SEED)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(clients.run(4, 2))
            try:
                await _stop_inside_handlers(running, clients)
                await clients.wait_for(clients.acks + 50)
            finally:
                clients.stop()
        await judge(running.admin, clients)
        return clients

    clients = asyncio.run(scenario(service.running))
    print(dict(clients.outcomes), file=sys.stderr)
    assert clients.read > 50


@pytest.mark.timeout(120)
def test_where_in_a_commit_it_stops_decides_what_is_stored(service: Stopping) -> None:
    """One host stops with a command put and not synced, then the other with one synced."""

    async def scenario(running: Running) -> None:
        async with httpx.AsyncClient(base_url=running.url, timeout=30) as http:
            owned = await _one_of_each_host(running, http)
            calls: list[asyncio.Task[httpx.Response | None]] = []
            for place, (pid, ledger) in zip(PLACES, owned.items(), strict=True):
                service.allow(place)
                adding = http.post(f"/ledger/{ledger}/add", json={"token": place})
                calls.append(asyncio.create_task(_outcome(adding)))
                await _stopped(pid)
            await _replaced(running, set(owned))
            for call in calls:
                _assert_unknown(await call)
            for place, (pid, ledger) in zip(PLACES, owned.items(), strict=True):
                expected = ["first", *([place] if place in STORED else [])]
                assert await _tokens(http, ledger) == expected
                assert await _add(http, ledger, "next") == len(expected) + 1
                *wrote, last = [event["pid"] for event in await _stored(running, ledger)]
                assert wrote == [pid] * len(expected) and last not in owned

    asyncio.run(scenario(service.running))


# ---- awake again for a moment -------------------------------------------------------------
class Waking:
    """A host stops in a handler, is woken, and killed a moment later: it was the owner until then.

    So an answer may come, and has to be true; none of it may come from what is not stored.
    """

    def __init__(self, running: Running, http: httpx.AsyncClient, rng: random.Random) -> None:
        self._running = running
        self._http = http
        self._rng = rng
        self.answered = 0

    async def run(self) -> None:
        """Some rounds, with one host and with the other."""
        stores = await self._stores()
        owned = await _one_of_each_host(self._running, self._http)
        ledgers = {stores[pid]: ledger for pid, ledger in owned.items()}
        for round_ in range(ROUNDS):
            store = round_ % HOSTS
            pid = {number: pid for pid, number in (await self._stores()).items()}[store]
            known = await _tokens(self._http, ledgers[store])
            if round_ // HOSTS % 2:
                await self._refuse(ledgers[store], pid, known)
            else:
                await self._add(ledgers[store], pid, known)

    async def _stores(self) -> dict[int, int]:
        status = await asyncio.to_thread(self._running.status)
        return {host["pid"]: host["store"] for host in status["hosts"]}

    async def _add(self, ledger: str, pid: int, known: list[str]) -> None:
        token = f"t{len(known)}"
        call = self._http.post(f"/ledger/{ledger}/stop-and-add", json={"token": token})
        answer = await self._woken_and_killed(call, pid)
        now = await _tokens(self._http, ledger)
        if answer is not None and answer.status_code == 200:
            assert (answer.json(), now) == (len(known) + 1, [*known, token])
            self.answered += 1
        else:
            _assert_unknown(answer)
            assert now in (known, [*known, token])

    async def _refuse(self, ledger: str, pid: int, known: list[str]) -> None:
        call = self._http.post(f"/ledger/{ledger}/stop-and-refuse")
        answer = await self._woken_and_killed(call, pid)
        if answer is not None and answer.json()["code"] == "failed_precondition":
            assert answer.json()["detail"] == str(len(known))
            self.answered += 1
        else:
            _assert_unknown(answer)
        assert await _tokens(self._http, ledger) == known

    async def _woken_and_killed(self, call: Any, pid: int) -> httpx.Response | None:
        answer = asyncio.create_task(_outcome(call))
        await _stopped(pid)
        _wake_and_kill(pid, self._rng.uniform(0, RUNS_ON_S_MAX))
        await asyncio.to_thread(self._running.wait_for, "restarted")
        return await answer


@pytest.mark.timeout(120)
def test_a_host_woken_right_before_its_end_says_nothing_untrue(service: Stopping) -> None:
    print(f"ACTORKALIX_STOP_SEED={SEED}", file=sys.stderr)

    async def scenario(running: Running) -> Waking:
        async with httpx.AsyncClient(base_url=running.url, timeout=30) as http:
            waking = Waking(running, http, random.Random(SEED))
            await waking.run()
        return waking

    waking = asyncio.run(scenario(service.running))
    print(f"{waking.answered} of {ROUNDS} answered", file=sys.stderr)
