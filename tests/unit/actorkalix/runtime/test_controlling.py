"""The controller without Ray: its fleet, its events, its admin port."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import httpx
import msgspec
import pytest

from actorkalix.errors import ForeignFolder, OwnerAway, UnknownRoute
from actorkalix.runtime.controlling import Controller, FleetCalls, controller
from actorkalix.runtime.loading import resolve
from actorkalix.runtime.orders import ControllerConfig, HostConfig
from actorkalix_cluster.rayhost.contract import CallRefused, Refused
from actorkalix_cluster.rayhost.events import Ending, HostDied, HostServes, Numbered
from actorkalix_cluster.rayhost.fleet import Fleet, FleetPlan
from actorkalix_cluster.rayhost.sockets import Taken
from actorkalix_storage.api import HomeTable
from tests.unit.actorkalix.runtime.test_on_ray import SERVICE
from tests.unit.cluster.rayhost.puppets import Stage, stage


def never(reason: str) -> NoReturn:
    """Where nothing is fatal."""
    pytest.fail(f"fatal: {reason}")


class Run:
    """The run process's view of a controller."""

    def __init__(self, made: Controller, admin: str) -> None:
        self.controller = made
        self.admin = admin
        self.after = 0

    async def events(self) -> list[object]:
        """Those that came since it was asked last; waits for one."""
        answer = await self.controller.call("events", msgspec.msgpack.encode(self.after))
        found = msgspec.msgpack.decode(answer, type=list[Numbered])
        self.after = found[-1].number
        return [numbered.event for numbered in found]

    async def until(self, kind: type, count: int = 1) -> list[object]:
        """Events until there are so many of a kind."""
        found: list[object] = []
        while sum(isinstance(event, kind) for event in found) < count:
            found += await self.events()
        return found


@asynccontextmanager
async def running(on: Stage, module: str) -> AsyncGenerator[Run]:
    """A controller of two stores that has started; stopped in the end."""
    file = on.scratch / f"{module}.py"
    file.write_text(SERVICE)
    homes = HomeTable(1, tuple((shard % 2,) for shard in range(16)))
    config = ControllerConfig(
        host=HostConfig(resolve(f"{file}:service")),
        data=str(on.scratch),
        stores={0: "store-0", 1: "store-1"},
        cluster="c" * 32,
        lineage=7,
        shards=16,
        homes=homes,
        making=on.making,
        grace_s=1.0,
    )
    http, admin = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    url = f"http://127.0.0.1:{admin.getsockname()[1]}"
    own = os.pidfd_open(os.getpid())
    taken = Taken(own, 2, (http.detach(), admin.detach()))
    made = controller(msgspec.msgpack.encode(config), taken, never)
    assert made.beat().pid == os.getpid()
    await made.call("start", b"")
    run = Run(made, url)
    yield run
    await made.call("stop", msgspec.msgpack.encode(1.0))
    assert (await run.until(Ending))[-1] == Ending("stopped")
    for task in made._tasks:
        task.cancel()
    os.close(own)


def test_what_happens_is_told_once_and_in_order(tmp_path: Path) -> None:
    async def scenario(on: Stage) -> None:
        async with running(on, "notes_controlled") as run:
            serves = await run.until(HostServes, 2)
            assert {event.store for event in serves if isinstance(event, HostServes)} == {0, 1}
            killed = on.of_store(1)
            killed.kill()
            died, again = await run.until(HostServes)
            assert isinstance(died, HostDied)
            assert (died.store, died.pid) == (1, killed.pid)
            assert isinstance(again, HostServes)
            assert again.away_s > 0
            with pytest.raises(UnknownRoute, match="no method 'shout'"):
                await run.controller.call("shout", b"")

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))


def test_the_admin_port_answers_for_all_hosts(tmp_path: Path) -> None:
    async def scenario(on: Stage) -> None:
        async with (
            running(on, "notes_administered") as run,
            httpx.AsyncClient(base_url=run.admin) as http,
        ):
            await run.until(HostServes, 2)
            assert (await http.get("/health/ready")).status_code == 200
            old = on.of_store(0).pid
            replaced = await http.post("/admin/replace", json={"store": 0})
            assert replaced.json()["host"]["pid"] == on.of_store(0).pid != old
            assert (await http.post("/admin/replace", json={"store": 9})).status_code == 404
            fleet = run.controller.fleet()
            assert fleet.controller_pid == os.getpid()
            assert [host.state for host in fleet.hosts] == ["serving", "serving"]
            held = on.of_store(1)
            held.held, held.held_ms = "note.write", 2_500
            while (await http.get("/health/ready")).status_code == 200:
                continue  # until the next sign of life
            reasons = (await http.get("/health/ready")).json()["reasons"]
            assert reasons == ["store 1: note.write has held its host for 2.5 s"]

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))


def test_what_a_host_refuses_keeps_its_number(tmp_path: Path) -> None:
    async def refuses(store: int, method: str, arguments: bytes) -> bytes | None:
        if store == 0:
            raise CallRefused(Refused("AK4003", "another service's"))
        return None

    async def scenario(on: Stage) -> None:
        plan = FleetPlan(on.making, "", b"", {0: b"", 1: b""}, b"", 1.0)
        fleet = Fleet(plan, lambda event: None)
        on.patch.setattr(fleet, "call", refuses)
        calls = FleetCalls(fleet)
        assert calls.stores() == (0, 1)
        with pytest.raises(ForeignFolder, match="another service's"):
            await calls.call(0, "status", b"")
        with pytest.raises(OwnerAway, match="no host has store 1 open"):
            await calls.call(1, "status", b"")

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))
