"""The fleet keeps a host at every store, whatever becomes of the processes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from actorkalix_cluster.rayhost.contract import Refused
from actorkalix_cluster.rayhost.events import (
    Ending,
    FleetEvent,
    HostDied,
    HostDrains,
    HostServes,
    StoreFenced,
)
from actorkalix_cluster.rayhost.fleet import Fleet, FleetPlan
from actorkalix_cluster.rayhost.members import Member
from actorkalix_cluster.rayhost.memory import DEATHS_MAX
from actorkalix_cluster.rayhost.sockets import Peer
from tests.unit.cluster.rayhost.puppets import Puppet, Stage, stage

E = TypeVar("E")


class Watched:
    """A fleet, and what it has told."""

    def __init__(self, on: Stage, stores: int) -> None:
        self.stage = on
        self.told: list[FleetEvent] = []
        self._news = asyncio.Event()
        plan = FleetPlan(on.making, "factory", b"", dict.fromkeys(range(stores), b""), b"homes", 1)
        self.fleet = Fleet(plan, self._tell)

    def _tell(self, event: FleetEvent) -> None:
        self.told.append(event)
        self._news.set()

    async def until(self, fits: Callable[[Watched], bool]) -> None:
        """Wait for the time when the fleet is like this; looked at with each event and beat."""
        while not fits(self):
            self._news.clear()
            try:
                async with asyncio.timeout(0.01):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def serves(self, *stores: int, times: int = 1) -> None:
        """Wait until hosts have begun to serve these so often."""
        await self.until(
            lambda w: all([e.store for e in w.of(HostServes)].count(s) >= times for s in stores)
        )

    def of(self, kind: type[E]) -> list[E]:
        """What was told of a kind."""
        return [event for event in self.told if isinstance(event, kind)]


@asynccontextmanager
async def running(on: Stage, stores: int = 2) -> AsyncGenerator[Watched]:
    """A fleet that runs; stopped at the end of the block."""
    watched = Watched(on, stores)
    task = asyncio.create_task(watched.fleet.run())
    yield watched
    await watched.fleet.stop(1.0)
    await task


def test_every_store_gets_a_host_and_all_are_told_of_all(tmp_path: Path) -> None:
    async def scenario(on: Stage) -> None:
        async with running(on) as watched:
            await watched.serves(0, 1)
            first, second = on.of_store(0), on.of_store(1)
            assert first is not second
            await watched.until(
                lambda _: {0, 1} == set(first.rolls[-1].open if first.rolls else ())
            )
            await watched.until(
                lambda _: bool(second.rolls) and set(second.rolls[-1].open) == {0, 1}
            )
            assert first.handles[-1] == {1}
            assert first.rolls[-1].open[1] == second.assignment.incarnation
            assert first.rolls[-1].homes == b"homes"
            await watched.until(lambda w: len(w.fleet.standbys) == 1)

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))


def test_a_dead_host_is_replaced_by_the_standby_and_the_others_are_told(tmp_path: Path) -> None:
    async def scenario(on: Stage) -> None:
        async with running(on) as watched:
            await watched.serves(0, 1)
            await watched.until(lambda w: len(w.fleet.standbys) == 1)
            standby, dead, other = watched.fleet.standbys[0], on.of_store(0), on.of_store(1)
            before = dead.assignment.incarnation
            dead.kill()
            await watched.serves(0, times=2)
            (died,) = watched.of(HostDied)
            assert (died.store, died.pid, died.deaths) == (0, dead.pid, 1)
            heir = on.of_store(0)
            assert heir.pid == standby.pid
            assert heir.assignment.incarnation > before
            await watched.until(
                lambda _: other.rolls[-1].open.get(0) == heir.assignment.incarnation
            )
            assert any(0 not in roll.open for roll in other.rolls[1:]), "told of the death as well"

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))


def test_a_host_that_stands_still_is_killed_before_its_store_is_given_away(tmp_path: Path) -> None:
    async def scenario(on: Stage) -> None:
        async with running(on, 1) as watched:
            await watched.serves(0)
            still = on.of_store(0)
            still.still = True
            await watched.serves(0, times=2)
            assert still.process.poll() == -9
            assert "no sign of life" in watched.of(HostDied)[0].reason

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))


def test_a_store_that_kills_its_hosts_is_fenced_and_the_others_serve(tmp_path: Path) -> None:
    async def scenario(on: Stage) -> None:
        async with running(on) as watched:
            for times in range(1, DEATHS_MAX + 1):
                await watched.serves(1, times=times)
                on.of_store(1).kill()
            await watched.until(lambda w: bool(w.of(StoreFenced)))
            (fenced,) = watched.of(StoreFenced)
            assert fenced.store == 1
            assert fenced.reason.startswith(f"{DEATHS_MAX} hosts died within 60 s")
            assert watched.fleet.slots[0].serves
            await watched.until(lambda _: 1 in on.of_store(0).rolls[-1].fenced)

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))


def test_when_no_store_can_be_served_it_ends_with_the_reason(tmp_path: Path) -> None:
    async def scenario(on: Stage) -> None:
        def refuse(puppet: Puppet) -> None:
            puppet.refusal = Refused("AK4003", "another service's")

        on.prepare = refuse
        watched = Watched(on, 2)
        assert await watched.fleet.run() == Ending("refused", "another service's", "AK4003")
        assert len(watched.of(StoreFenced)) == 2
        assert all(puppet.process.wait() == -9 for puppet in on.puppets)

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))


def test_a_host_is_replaced_without_a_death(tmp_path: Path) -> None:
    async def scenario(on: Stage) -> None:
        async with running(on) as watched:
            await watched.serves(0, 1)
            old, other = on.of_store(0), on.of_store(1)
            old.gates["stop"] = asyncio.Event()
            replacing = asyncio.create_task(watched.fleet.replace(0))
            await watched.until(lambda _: "stop" in old.calls)
            assert old.calls[-2:] == ["retire", "stop"]
            assert other.calls[-1] == "settle", "it has all answers before the other one stops"
            await watched.until(lambda _: other.rolls[-1].leaving == (0,))
            assert 0 in other.rolls[-1].open, "what is under way there is answered by it"
            assert old.process.poll() is None, "it is killed when it has closed its store"
            old.gates["stop"].set()
            await replacing
            await watched.until(lambda _: other.rolls[-1].leaving == ())
            assert old.process.wait() == -9
            assert on.of_store(0) is not old
            assert watched.of(HostDied) == []
            assert watched.of(HostDrains)[0].store == 0
            with pytest.raises(KeyError):
                await watched.fleet.replace(7)

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))


def test_all_requests_are_answered_before_the_first_store_is_closed(tmp_path: Path) -> None:
    async def scenario(on: Stage) -> None:
        watched = Watched(on, 2)
        task = asyncio.create_task(watched.fleet.run())
        await watched.serves(0, 1)
        first, second = on.of_store(0), on.of_store(1)
        second.gates["quiet"] = asyncio.Event()
        await watched.fleet.stop(1.0)
        await watched.until(lambda _: "quiet" in first.calls and "quiet" in second.calls)
        assert "stop" not in first.calls
        second.gates["quiet"].set()
        assert await task == Ending("stopped")
        assert first.calls[-2:] == second.calls[-2:] == ["quiet", "stop"]
        assert all(puppet.process.wait() == -9 for puppet in on.puppets)

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))


def test_the_next_controller_goes_on_with_what_it_finds(tmp_path: Path) -> None:
    async def scenario(on: Stage) -> None:
        first = Watched(on, 2)
        task = asyncio.create_task(first.fleet.run())
        await first.serves(0, 1)
        await first.until(lambda w: len(w.fleet.standbys) == 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        alive = [puppet for puppet in on.puppets if puppet.process.poll() is None]
        assert len(alive) == 3
        on.present = [Member(p.name, Peer(p.pid, os.pidfd_open(p.pid))) for p in alive]
        async with running(on) as second:
            await second.until(
                lambda w: all(s.serves for s in w.fleet.slots.values()) and bool(w.fleet.standbys)
            )
            assert {s.actor.pid for s in second.fleet.slots.values() if s.actor} == {
                on.of_store(0).pid,
                on.of_store(1).pid,
            }
            assert second.told == [], "nothing has happened to the hosts"
            assert len(on.puppets) == 3, "none was made"
            on.of_store(1).kill()
            await second.serves(1)

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))


def test_components_that_block_are_known_to_the_next_host(tmp_path: Path) -> None:
    async def scenario(on: Stage) -> None:
        async with running(on, 1) as watched:
            await watched.serves(0)
            blocking = on.of_store(0)
            blocking.blocked = {"cart": "held the loop"}
            await watched.until(lambda w: "cart" in w.fleet._memory.blocked)
            blocking.kill()
            await watched.serves(0, times=2)
            assert on.of_store(0).assignment.blocked == {"cart": "held the loop"}

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))
