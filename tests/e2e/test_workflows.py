"""Transfers between wallets while hosts are killed: no money is lost or made, and each one ends."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from actorkalix import ActorkalixError, Client
from examples.transfer.service import Transfer, TransferOrder, Wallet
from tests.e2e.running import Running
from tests.e2e.transfers_service import Audit

SERVICE = f"{Path(__file__).parent / 'transfers_service.py'}:service"
WALLETS = [f"w{n}" for n in range(50)]
CLOSED = WALLETS[45:]  # take no deposits
FUNDS = 10_000
TRANSFERS = int(os.environ.get("ACTORKALIX_TRANSFERS", "500"))
KILL_FIRST_S = 1.0
KILL_EVERY_S = 5.0  # of three hosts each in turn: a store takes 4 deaths a minute
KILLS_MIN = 2
END_S = 150.0
AT_ONCE = 32


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The service on three hosts."""
    data = tmp_path_factory.mktemp("transfers") / "data"
    with Running(data, SERVICE, "--hosts", "3") as running:
        yield running


def cli(running: Running, *words: str) -> Any:
    """What a command prints, as JSON."""
    ran = subprocess.run(
        [sys.executable, "-m", "actorkalix", *words, "--admin", running.admin, "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stdout, ran.stderr
    return json.loads(ran.stdout)


async def insist(make: Any) -> Any:
    """A call, sent again while hosts are away; its handler takes that."""
    end = time.monotonic() + END_S
    while True:
        try:
            return await make()
        except ActorkalixError as error:
            if not error.number.startswith("AK3") or time.monotonic() > end:
                raise
            await asyncio.sleep(0.2)


async def kill_hosts(
    running: Running, over: asyncio.Event, killed: list[int], enough: asyncio.Event
) -> None:
    """SIGKILL a host every few seconds, each in turn, and put it down; say when these are some."""
    async with httpx.AsyncClient() as http:
        while not over.is_set():
            await asyncio.sleep(KILL_EVERY_S if killed else KILL_FIRST_S)
            hosts = (await http.get(f"{running.admin}/admin/status", timeout=20)).json()["hosts"]
            host = hosts[len(killed) % len(hosts)]
            if host["state"] == "serving" and not over.is_set():
                os.kill(host["pid"], signal.SIGKILL)
                killed.append(host["pid"])
            if len(killed) >= KILLS_MIN:
                enough.set()


def orders(draw: random.Random) -> dict[str, TransferOrder]:
    """Transfers; some to closed wallets, some of more than anybody has."""
    made: dict[str, TransferOrder] = {}
    for number in range(TRANSFERS):
        source = draw.choice(WALLETS[:45])
        target = draw.choice([name for name in WALLETS if name != source])
        amount = draw.choice([1, 7, 90, 900, 1_000, 5_000]) if number % 10 else 900_000
        made[f"t{number}"] = TransferOrder(source, target, amount)
    return made


async def started(client: Client, made: dict[str, TransferOrder]) -> None:
    slots = asyncio.Semaphore(AT_ONCE)

    async def start(name: str, order: TransferOrder) -> None:
        async with slots:
            status = await insist(lambda: client.workflow(Transfer, name).start(order))
            if status == "waits for approval":
                await approve(name)

    async def approve(name: str) -> None:
        transfer = client.workflow(Transfer, name)
        try:
            await insist(lambda: transfer.resolve("approval", int(name[1:]) % 20 != 0))
        except ActorkalixError as error:
            if error.number not in ("AK2017", "AK2018"):  # it was there the first time
                raise

    await asyncio.gather(*(start(*each) for each in made.items()))


async def ended(client: Client, made: dict[str, TransferOrder]) -> dict[str, str]:
    """How each of them ended."""
    statuses: dict[str, str] = {}
    slots, end = asyncio.Semaphore(AT_ONCE), time.monotonic() + END_S

    async def look(name: str) -> None:
        async with slots:
            state = await insist(lambda: client.workflow(Transfer, name).get())
            if state.status in ("done", "refused", "refunded"):
                statuses[name] = state.status

    while len(statuses) < len(made):
        assert time.monotonic() < end, f"{len(made) - len(statuses)} have not ended"
        await asyncio.gather(*(look(name) for name in made if name not in statuses))
        await asyncio.sleep(0.5)
    return statuses


async def transfers(running: Running) -> tuple[dict[str, TransferOrder], dict[str, str], int]:
    over, enough = asyncio.Event(), asyncio.Event()
    made, killed = orders(random.Random(8)), list[int]()
    first, last = (dict(list(made.items())[part]) for part in (slice(-100), slice(-100, None)))
    async with Client(running.url) as client:
        for name in WALLETS:
            await client.entity(Wallet, name).deposit(FUNDS).with_idempotency_key("fund")
        for name in CLOSED:
            await client.entity(Wallet, name).close()
        killing = asyncio.ensure_future(kill_hosts(running, over, killed, enough))
        try:
            await started(client, first)
            async with asyncio.timeout(END_S):
                await enough.wait()
            await started(client, last)  # while a host is away, however fast the others were
            statuses = await ended(client, made)
        finally:
            over.set()
            await killing
        return made, statuses, len(killed)


@pytest.mark.timeout(600)
def test_wf_21_money_is_conserved_while_hosts_are_killed(running: Running) -> None:
    made, statuses, killed = asyncio.run(transfers(running))
    assert killed >= KILLS_MIN
    assert set(statuses) == set(made)
    balances = dict.fromkeys(WALLETS, FUNDS)
    for name, status in statuses.items():
        order = made[name]
        if status == "done":
            assert order.target not in CLOSED, "a closed wallet has taken money"
            balances[order.source] -= order.amount
            balances[order.target] += order.amount
        if status == "refunded":
            assert order.target in CLOSED, "compensated without a reason"
    found = asyncio.run(amounts(running))
    assert found == balances, "money was lost, made, or compensated twice"
    count = Counter(statuses.values())
    assert count["done"] and count["refunded"] and count["refused"]
    print(f"{len(made)} transfers, {killed} hosts killed, {dict(count)}")


async def amounts(running: Running) -> dict[str, int]:
    async with Client(running.url) as client:
        return {
            name: (await insist(lambda name=name: client.entity(Wallet, name).get())).amount
            for name in WALLETS
        }


@pytest.mark.timeout(120)
def test_plain_steps_run_as_tasks(running: Running) -> None:
    async def work() -> int | None:
        async with Client(running.url) as client:
            await client.workflow(Audit, "a1").start(WALLETS)
            for _ in range(200):
                if (total := await client.workflow(Audit, "a1").total()) is not None:
                    return total
                await asyncio.sleep(0.1)
            return None

    assert asyncio.run(work()) == len(WALLETS) * FUNDS


@pytest.mark.timeout(120)
def test_wf_55_operators_see_and_control_them(running: Running) -> None:
    url = f"{running.url}/transfer/big"
    body = {"source": "w1", "target": "w2", "amount": 2_000}
    assert httpx.post(f"{url}/start", json=body).json() == "waits for approval"
    listed = cli(running, "workflows", "list", "transfer", "--status", "waiting")["workflows"]
    assert [row["workflow_id"] for row in listed] == ["big"]
    shown = cli(running, "workflows", "show", "transfer", "big")
    assert shown["promises"] == ["approval"]
    assert [moment["did"] for moment in shown["moments"]] == ["command"]
    for word, status in (("suspend", "suspended"), ("resume", "waiting")):
        assert cli(running, "workflows", word, "transfer", "big")["status"] == status
    assert httpx.post(f"{url}/promises/nobody", json=True).status_code == 404
    assert httpx.post(f"{url}/promises/approval", json="yes").status_code == 400
    json_type = {"content-type": "application/json"}
    broken = httpx.post(f"{url}/promises/approval", content=b"{", headers=json_type)
    assert broken.status_code == 400
    done = cli(running, "workflows", "terminate", "transfer", "big", "--reason", "enough")
    assert done["status"] == "terminated"
    assert cli(running, "workflows", "show", "transfer", "big")["row"]["reason"] == "enough"
    assert httpx.post(f"{url}/promises/approval", json=True).status_code == 400
