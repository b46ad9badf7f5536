"""A small simulated world for the tests of its parts: few hosts, and only the faults asked for."""

from __future__ import annotations

from asyncio import sleep as virtual_sleep  # of the simulation's loop
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import msgspec

from actorkalix import Service
from actorkalix.testkit.checking import Stored, stored_of
from actorkalix.testkit.simulation.chance import Chance
from actorkalix.testkit.simulation.clients import Clients, Program
from actorkalix.testkit.simulation.faults import Fault, Faults
from actorkalix.testkit.simulation.hosts import SimulatedHost
from actorkalix.testkit.simulation.loop import SimulationLoop
from actorkalix.testkit.simulation.plan import Call, Plan
from actorkalix.testkit.simulation.run import Subject
from actorkalix.testkit.simulation.world import World
from actorkalix_cluster.placement import shard_of
from actorkalix_cluster.shardhost.messages import Message, MessageKind, Reply
from tests.mutants.services import Account, Pad

SERVICE = Service("worlds", components=[Account, Pad])
SUBJECT = Subject(SERVICE.descriptor, SERVICE.limits)
SHARDS = 8


def calm(**changed: Any) -> Faults:
    """Nothing goes wrong but this."""
    return msgspec.structs.replace(Faults.none(), **changed)


def call(method: str, body: bytes = b"", number: int = 0, **changed: Any) -> Call:
    """What a client asks: of account e0, and a command, if it does not say otherwise."""
    kind: Literal["command", "query"] = "query" if method == "get" else "command"
    asked = Call(
        client=0,
        number=number,
        wait_us=0,
        component="account",
        entity="e0",
        kind=kind,
        method=method,
        body=body,
    )
    return msgspec.structs.replace(asked, **changed)


def add(by: int, **changed: Any) -> Call:
    """An account's `add`."""
    return call("add", b'{"by":%d}' % by, **changed)


def plan_of(
    *calls: Call,
    hosts: int = 2,
    faults: tuple[Fault, ...] = (),
    rates: Faults | None = None,
    seed: int = 0,
) -> Plan:
    """A plan for as many clients as the calls are of."""
    clients = max((each.client for each in calls), default=0) + 1
    return Plan(
        seed=seed,
        hosts=hosts,
        shards=SHARDS,
        clients=clients,
        calls=calls,
        faults=faults,
        rates=rates or calm(),
    )


def fault(kind: str, host: int = 0, **changed: int) -> Fault:
    """A fault that is to happen now."""
    return msgspec.convert({"at_us": 0, "kind": kind, "host": host, **changed}, Fault)


class Life:
    """A world that serves, and its clients."""

    def __init__(self, world: World, clients: Clients) -> None:
        self.world = world
        self.clients = clients

    @property
    def outcomes(self) -> list[str]:
        """Of all operations so far."""
        return [each.outcome for each in self.clients.history.operations]

    @property
    def values(self) -> list[Any]:
        """Of all operations so far."""
        return [each.value for each in self.clients.history.operations]

    def host(self, number: int) -> SimulatedHost:
        """The host of a store; it serves."""
        return {each.number: each for each in self.world.serving}[number]

    async def serves(self, number: int, after: SimulatedHost | None = None) -> SimulatedHost:
        """The host of a store, when it serves; `after`: the one that comes after this."""
        world = self.world
        await world.until(lambda: number in {e.number for e in world.serving if e is not after})
        return self.host(number)

    def home(self, entity: str = "e0", component: str = "account") -> int:
        """Number of the store that has an entity."""
        return self.world.homes.homes[shard_of(component, entity, SHARDS)][0]

    def entity_at(self, store: int) -> str:
        """Id of an account that a store has."""
        return next(f"e{n}" for n in range(1_000) if self.home(f"e{n}") == store)

    async def ask(self, asked: Call, name: str = "c0") -> Reply | None:
        """Ask through whatever host."""
        return await self.clients.ask(name, asked, Chance(0))

    def through(self, host: SimulatedHost, asked: Call) -> list[Reply]:
        """Ask through this host, at once; the answer comes into the list."""
        kind = MessageKind.QUERY if asked.kind == "query" else MessageKind.COMMAND
        message = Message(kind, asked.component, asked.entity, asked.method, asked.body)
        answers: list[Reply] = []
        self.world.loop.call_in(host.process, host.serve, message, answers.append)
        return answers

    def stored(self) -> list[Stored]:
        """All records that are on the disks."""
        return [
            stored_of(each, *self.world.written.of(each.record))
            for shard, (home, *_) in enumerate(self.world.homes.homes)
            for each in self.world.disks[home].store.records(shard, 0, limit=1_000)
        ]

    def traced(self, text: str) -> list[int]:
        """Times at which the trace says this, in microseconds."""
        lines = [line for line in self.world.trace.lines if text in line]
        return [int(line.split()[0].replace(",", "")) for line in lines]


def live(
    plan: Plan,
    script: Callable[[Life], Awaitable[None]],
    programs: Mapping[str, Program] | None = None,
) -> Life:
    """Let a world begin, do what the script says, and end."""
    loop = SimulationLoop(Chance(plan.seed))
    world = World(SUBJECT.service, SUBJECT.limits, plan, loop)
    life = Life(world, Clients(world, SUBJECT.service, programs or {}))

    async def run() -> None:
        await world.start()
        await script(life)

    try:
        loop.run_until_complete(run(), steps_max=500_000)
    finally:
        world.end()
        loop.close()
    assert not loop.problems
    return life


async def pass_ms(ms: float) -> None:
    """Let time pass."""
    await virtual_sleep(ms / 1000)
