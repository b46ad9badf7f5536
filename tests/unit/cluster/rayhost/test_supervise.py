"""The run process keeps a controller, tells what it reports, and ends when there is a reason."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import msgspec
import pytest

from actorkalix_cluster.rayhost import supervise
from actorkalix_cluster.rayhost.actors import Actor, Making, NotMade
from actorkalix_cluster.rayhost.contract import Answer, Answered, Refused
from actorkalix_cluster.rayhost.events import Ending, FleetEvent, HostServes, Numbered
from actorkalix_cluster.rayhost.memory import DEATHS_MAX
from actorkalix_cluster.rayhost.sockets import Handover, Taken
from actorkalix_cluster.rayhost.supervise import (
    ControllerDied,
    ControllerServes,
    Plan,
    RunEvent,
    Supervisor,
)
from tests.unit.cluster.rayhost.puppets import Puppet, Remote, Stage, stage


class NoRay:
    """A Ray that ends when it is told."""

    logs = "/logs"

    def __init__(self) -> None:
        self.over = asyncio.Event()

    async def ended(self) -> str:
        """Wait for it."""
        await self.over.wait()
        return "raylet"


class Controllers:
    """Puppets that report as a test says."""

    def __init__(self, on: Stage, patch: pytest.MonkeyPatch) -> None:
        self.on = on
        self.made: list[Puppet] = []
        self.events: list[FleetEvent] = []
        self.news = asyncio.Event()
        self.refusal: Refused | None = None
        self.not_made = 0
        self.told: list[RunEvent] = []
        self.heard = asyncio.Event()
        patch.setattr(supervise, "made", self._made)

    def report(self, *events: FleetEvent) -> None:
        """What the controller says next."""
        self.events += events
        self.news.set()

    def tell(self, event: RunEvent) -> None:
        """What the supervisor says."""
        self.told.append(event)
        self.heard.set()

    async def until(self, fits: Callable[[list[RunEvent]], bool]) -> None:
        """Wait for the time when it has said this."""
        while not fits(self.told):
            self.heard.clear()
            await self.heard.wait()

    async def _made(self, making: Making, name: str, factory: str, config: bytes) -> Actor:
        if self.not_made:
            self.not_made -= 1
            raise NotMade("it ended while it was made")
        puppet = Puppet(f"{making.prefix}{name}")
        puppet.call = Remote(functools.partial(self._call, puppet))
        self.made.append(puppet)
        self.on.puppets.append(puppet)
        return puppet.actor()

    async def _call(self, puppet: Puppet, method: str, arguments: bytes) -> bytes:
        puppet.calls.append(method)
        if puppet.process.poll() is not None:
            return await asyncio.shield(puppet._forever)
        answer: Answer = Answered(b"")
        if method == "start" and self.refusal is not None:
            answer = self.refusal
        if method == "stop":
            self.report(Ending("stopped"))
        if method == "events":
            after = msgspec.msgpack.decode(arguments, type=int)
            while len(self.events) <= after:
                self.news.clear()
                await self.news.wait()
            found = [Numbered(n, e) for n, e in enumerate(self.events, 1) if n > after]
            answer = Answered(msgspec.msgpack.encode(found))
        return msgspec.msgpack.encode(answer)


class Play:
    """A supervisor at work."""

    def __init__(self, controllers: Controllers, ray: NoRay, task: asyncio.Task[Ending]) -> None:
        self.controllers = controllers
        self.ray = ray
        self.task = task
        self.stop = asyncio.Event()
        self.cut = asyncio.Event()


@asynccontextmanager
async def playing(on: Stage, patch: pytest.MonkeyPatch) -> AsyncGenerator[Play]:
    """A supervisor that runs; whatever is left of it is cancelled."""
    controllers, ray = Controllers(on, patch), NoRay()
    stop, cut = asyncio.Event(), asyncio.Event()
    own = os.pidfd_open(os.getpid())
    with closing(Handover(on.scratch / "handover", Taken(own, 2, ()))) as handover:
        plan = Plan(on.making, "factory", b"config", 1.0)
        supervisor = Supervisor(ray, handover, plan, controllers.tell)
        task = asyncio.create_task(supervisor.run(stop, cut))
        play = Play(controllers, ray, task)
        play.stop, play.cut = stop, cut
        yield play
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    os.close(own)


def test_what_the_controller_reports_is_told_and_its_end_is_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(on: Stage) -> None:
        async with playing(on, monkeypatch) as play:
            serves = HostServes(0, 7, b"facts", 0.0)
            play.controllers.report(serves)
            await play.controllers.until(lambda told: serves in told)
            assert isinstance(play.controllers.told[0], ControllerServes)
            play.stop.set()
            assert await play.task == Ending("stopped")
            assert play.controllers.made[0].process.wait() == -9

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))


def test_a_dead_controller_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(on: Stage) -> None:
        async with playing(on, monkeypatch) as play:
            controllers = play.controllers
            await controllers.until(lambda told: len(told) == 1)
            controllers.made[0].kill()
            await controllers.until(lambda told: len(told) == 3)
            died, serves = controllers.told[1:]
            assert isinstance(died, ControllerDied)
            assert died.pid == controllers.made[0].pid
            assert serves == ControllerServes(controllers.made[1].pid, 1)

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))


def test_a_controller_that_stands_still_is_killed_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(on: Stage) -> None:
        async with playing(on, monkeypatch) as play:
            controllers = play.controllers
            await controllers.until(lambda told: len(told) == 1)
            controllers.made[0].still = True
            await controllers.until(lambda told: len(told) == 3)
            assert controllers.made[0].process.wait() == -9
            died = controllers.told[1]
            assert isinstance(died, ControllerDied)
            assert "no sign of life" in died.reason

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))


def test_five_in_a_minute_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(on: Stage) -> None:
        async with playing(on, monkeypatch) as play:
            play.controllers.not_made = DEATHS_MAX
            ending = await play.task
            assert ending.cause == "dying"
            assert ending.message.startswith(f"{DEATHS_MAX} controllers died within 60 s")

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))


def test_other_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(on: Stage) -> None:
        async with playing(on, monkeypatch) as play:
            play.controllers.refusal = Refused("AK5001", "the port is taken")
            assert await play.task == Ending("refused", "the port is taken", "AK5001")

    async def without_ray(on: Stage) -> None:
        async with playing(on, monkeypatch) as play:
            play.ray.over.set()
            ended = "Ray's raylet process ended; its logs are in /logs"
            assert await play.task == Ending("ray", ended)

    async def cut(on: Stage) -> None:
        async with playing(on, monkeypatch) as play:
            play.cut.set()
            assert await play.task == Ending("cut")

    for scenario in (refused, without_ray, cut):
        with stage(tmp_path) as on:
            asyncio.run(scenario(on))
