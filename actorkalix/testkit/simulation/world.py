"""The simulated world: hosts that live, stop and die, and whoever opens their stores again.

Theory of operation. The world has a disk a store and, most of the time, a host a disk. It stands
for all that is not a host: the machine, the network, and the controller, which sees that a process
has ended, opens its store again in a new one, and calls the roll. News takes time to reach each
host, and may overtake older news; hosts go by the number of the roll.

    a process is killed      its host is gone at once, its connections are reset, others are told;
                             after a while its store is opened in the next process
    a process is stopped     nothing of it runs; after `HANG_US` it is killed as hanging
    a host ends fatally      its process is killed, as its supervisor does
    a host is replaced       others ask nothing more of it and take its answers, it closes its
                             store, and the next process opens it (the order of `rayhost.fleet`)
    a store gets a twin      another process opens it while its host goes on, as if its lock did not
                             hold: the second line of defence, epochs, has to do alone

All of it is drawn from the plan's seed; each thing has a stream of chance of its own, so a plan
with one fault less is the same plan otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

import msgspec

from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.limits import Limits
from actorkalix.testkit.checking import Ownership
from actorkalix.testkit.watching import Findings
from actorkalix_cluster.rayhost.contract import Roll, Transport
from actorkalix_storage.api import HomeTable, RefusalKind, Refused, StoreError, StoreIdentity

from .chance import Chance
from .disk import Disk, SimulatedCommitter
from .faults import Conditions, CrashPoint, Fault, Faults
from .hosts import HostClock, SimulatedHost, Watched, Written, homes_of
from .inside import Attended, Inside
from .loop import SimulationLoop
from .network import Network
from .places import SimulatedWeather
from .plan import Plan
from .processes import Process
from .projections import SimulatedViews
from .steps import AttendedSteps
from .trace import Trace

LINEAGE = 7
HANG_US = 5_000_000
"""A process that does nothing for so long is killed."""
GRACE_S = 5.0
REST_LOOK_S = 0.1
REST_US_MAX = 300_000_000
"""Until consumers of a healed world are at rest; what they failed on waits for up to 36 s."""


class World:
    """Everything that a plan is played in.

    Args:
        service: that the hosts run.
        limits: of the service.
        plan: what happens.
        loop: on which it happens.
    """

    def __init__(
        self, service: ServiceDescriptor, limits: Limits, plan: Plan, loop: SimulationLoop
    ) -> None:
        self.loop = loop
        self.plan = plan
        self.trace = Trace(loop)
        self.chance = Chance(plan.seed)
        self.written = Written()
        self.findings = Findings()
        self.ownerships: list[Ownership] = []
        self.fatal: list[str] = []
        self.misfits: list[str] = []
        self.conditions = Conditions(plan.rates)
        self.inside = Inside(service.name, loop, self.trace, self.conditions)
        self.network = Network(loop, self.chance.fork("network"), self.conditions)
        views = self.chance.fork("views")
        self.views = SimulatedViews(service, loop, views, self.conditions, self.trace)
        self.on_end: Callable[[SimulatedHost], object] = _nobody
        self.homes = HomeTable(1, homes_of(plan.hosts, plan.shards))
        self._homes_bytes = msgspec.msgpack.encode(self.homes)
        name = service.name
        self.disks = {
            number: Disk(StoreIdentity("0" * 32, name, number, plan.shards, LINEAGE))
            for number in range(plan.hosts)
        }
        self._service = service
        self.limits = limits
        self._hosts: dict[int, SimulatedHost] = {}  # by store; alive, perhaps not serving yet
        self._serving: dict[int, SimulatedHost] = {}
        self._incarnations = dict.fromkeys(self.disks, 0)
        self._leaving: SimulatedHost | None = None
        self._crashes = self.chance.fork("crashes")
        self._former: list[SimulatedHost] = []  # that live on beside a twin
        self._roll = 0
        self._changed = asyncio.Event()
        self.at_rest = False  # consumers had nothing more to do when it ended
        self._quiet = False  # no fault happens any more

    # ---- a life -------------------------------------------------------------------------------
    async def start(self) -> None:
        """Open all stores; returns when all serve."""
        for number in self.disks:
            self.open(number)
        await self.all_serve()

    async def all_serve(self) -> None:
        """Return when every store's host serves and has heard of the others."""
        await self.until(lambda: len(self._serving) == len(self.disks) and self._leaving is None)
        await asyncio.sleep(self.plan.rates.network_mean_us * 20 / 1e6 + 0.01)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return when something holds of who serves."""
        while not holds():
            self._changed.clear()
            await self._changed.wait()

    async def heal(self) -> None:
        """Let no fault happen any more, end all that there are; returns when all serve."""
        self._quiet = True
        self.conditions.rates = Faults.none()
        self.network.heal()
        self.views.heal()
        for disk in self.disks.values():
            disk.full = False
        for host in [*self._former, *self._hosts.values()]:
            host.clock.offset_us = 0  # else no call of theirs may ever be in time
            host.process.resume()
        for number in self.disks:
            self._end_all_former(number)
        await self.all_serve()

    async def rest(self) -> bool:
        """Let consumers handle all that they want; False where they come to no end."""
        until_us = self.loop.now_us + REST_US_MAX
        while not all(host.host.caught_up for host in self.serving):
            if self.loop.now_us >= until_us:
                return False
            await asyncio.sleep(REST_LOOK_S)
        return True

    def end(self) -> None:
        """Kill everything: what is stored now is what a recovery finds."""
        self._quiet = True
        for host in [*self._former, *self._hosts.values()]:
            host.process.kill()
        self._hosts.clear()
        self._serving.clear()
        for disk in self.disks.values():
            disk.store = disk.store.crash()

    @property
    def serving(self) -> Sequence[SimulatedHost]:
        """Hosts that take connections, by store."""
        leaving, get = self._leaving, self._serving.get
        found = [get(number) for number in self.disks]
        return [host for host in found if host is not None and host is not leaving]

    # ---- hosts --------------------------------------------------------------------------------
    def open(self, number: int, *, is_twin: bool = False) -> None:
        """Open a store in a new process; but for its twin, nobody who had it before lives on."""
        if not is_twin:
            self._end_all_former(number)
        incarnation = self._incarnations[number] = self._incarnations[number] + 1
        host = self._host(number, incarnation, is_twin)
        self._hosts[number] = host
        self.loop.call_in(host.process, host.begin, self._start(host))

    def _host(self, number: int, incarnation: int, is_twin: bool) -> SimulatedHost:
        disk = self.disks[number]
        process = self.loop.process(f"host {number}.{incarnation}")
        chance = self.chance.fork("host", number, incarnation)
        deliveries = chance.fork("deliveries")
        store = disk.open(process, is_twin=is_twin)
        committer = SimulatedCommitter(
            disk,
            process,
            loop=self.loop,
            chance=chance.fork("disk"),
            conditions=self.conditions,
            steps=self,
            trace=self.trace,
        )
        process.on_kill = committer.killed
        skew_us = self.plan.rates.clock_skew_ms * 1000
        make = partial(
            SimulatedHost,
            number,
            incarnation,
            process,
            store=store,
            committer=committer,
            clock=HostClock(self.loop, chance.integer(-skew_us, skew_us)),
            service=self._service,
            limits=self.limits,
            homes=self.homes,
            wrap=lambda each: Watched(self.findings.wrap(each), process, self.written, self.trace),
            attend=lambda each: Attended(
                each, self.inside, process, disk, deliveries.fork(each.consumer)
            ),
            attend_steps=partial(AttendedSteps, self.inside, process, disk, chance.fork("steps")),
            weather=SimulatedWeather(chance.fork("places"), self.conditions),
            written=self.written,
            inside=self.inside,
            views=self.views,
            on_fatal=partial(self._fatal, number, process),
        )
        return process.run(make)

    async def _start(self, host: SimulatedHost) -> None:
        """In the host's process."""
        try:
            await host.start()
        except StoreError as error:
            self._fatal(host.number, host.process, f"cannot open: {error}")
            return
        self.network.later(0, self._started, host)

    def _started(self, host: SimulatedHost) -> None:
        if not host.process.alive:
            return
        for shard in self.homes.of_store(host.number):
            state = host.store.shard(shard)
            self.ownerships.append(
                Ownership(shard, LINEAGE, state.position.epoch, host.process.name)
            )
        self._serving[host.number] = host
        self.trace(f"{host.process.name}: serves")
        self._call_the_roll()

    def _call_the_roll(self, *, at_once: bool = False) -> None:
        """Tell every host who is there; each hears of it in its own time, unless `at_once`."""
        self._changed.set()
        self._roll += 1
        hosts = [self._serving[number] for number in sorted(self._serving)]
        opened = {host.number: host.incarnation for host in hosts}
        leaving = () if self._leaving is None else (self._leaving.number,)
        roll = Roll(self._roll, opened, {}, self._homes_bytes, leaving)
        chance = self.chance.fork("roll", self._roll)
        for host in hosts:
            ways: dict[int, Transport] = {
                other.number: self.network.way(host, other) for other in hosts if other is not host
            }
            mean_us = 0 if at_once else self.plan.rates.network_mean_us + 1
            delay_us = chance.exponential_us(mean_us)
            self.network.later(
                delay_us, self.loop.call_in, host.process, host.neighbours.enroll, roll, ways
            )

    def _fatal(self, number: int, process: Process, reason: str) -> None:
        """A host says that its process has to end."""
        self.trace(f"{process.name}: fatal, {reason}")
        self.fatal.append(reason)
        self.network.later(0, self.kill, number, process)

    def kill(self, number: int, process: Process | None = None) -> None:
        """SIGKILL the process that has a store, or this one if it still has it."""
        host = self._hosts.get(number)
        if host is None or process not in (None, host.process):
            return
        del self._hosts[number]
        self._serving.pop(number, None)
        self.trace(f"{host.process.name}: killed")
        host.process.kill()
        self._gone(host)

    def _hangs(self, host: SimulatedHost) -> None:
        """A process was stopped long ago; if it goes on meanwhile it is left alone."""
        if host.process.paused:
            self.kill(host.number, host.process)

    def _gone(self, host: SimulatedHost) -> None:
        """A process has ended: clients see it, the roll is called, its store is opened again."""
        self.on_end(host)
        if self._leaving is host:
            self._leaving = None  # others send to the next one as soon as it serves
        self._call_the_roll()
        chance = self.chance.fork("restart", host.number, host.incarnation)
        rates = self.plan.rates
        delay_us = rates.restart_min_us + chance.exponential_us(rates.restart_mean_us)
        self.network.later(delay_us, self.open, host.number)

    def _twin(self, host: SimulatedHost, length_us: int) -> None:
        """Open a store as if no lock were held: its host goes on, and nobody calls it any more.

        Others hear of it at once. Epochs keep a former host from writing, not from answering what
        it is asked, and one that is asked afterwards may tell old news.
        """
        number = host.number
        del self._hosts[number], self._serving[number]
        self._former.append(host)
        host.process.former = True
        self._call_the_roll(at_once=True)
        self.open(number, is_twin=True)
        self.network.later(length_us, self._end_former, host)

    def _end_all_former(self, number: int) -> None:
        for host in [host for host in self._former if host.number == number]:
            self._end_former(host)

    def _end_former(self, host: SimulatedHost) -> None:
        if host in self._former:
            self._former.remove(host)
            self.trace(f"{host.process.name}: has gone on long enough")
            host.process.kill()
            self.on_end(host)

    async def replace(self, number: int) -> None:
        """Replace a store's host by another, gracefully, as `rayhost.fleet` does."""
        host = self._serving.get(number)
        if host is None or self._leaving is not None:
            return
        self.trace(f"{host.process.name}: is to be replaced")
        self._leaving = host
        self._call_the_roll()
        others = self.serving
        await asyncio.gather(
            *(self._within(each, each.neighbours.settled(number)) for each in others)
        )
        self._end_all_former(number)  # a store is not closed under them
        await self._within(host, host.retire(GRACE_S))
        if self._hosts.get(number) is host:
            self._leaving = None
            del self._hosts[number], self._serving[number]
            self.trace(f"{host.process.name}: has ended")
            host.process.kill()
            self.on_end(host)
            self.open(number)
            self._call_the_roll()

    async def _within(self, host: SimulatedHost, work: Coroutine[Any, Any, None]) -> None:
        """Wait for something in a host's process, which may stop or end meanwhile."""
        task = self.loop.spawn(host.process, work)
        ended = asyncio.create_task(self.until(lambda: not host.process.alive))
        await asyncio.wait({task, ended}, timeout=GRACE_S, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()

    # ---- faults -------------------------------------------------------------------------------
    async def afflict(self, fault: Fault) -> None:
        """Let a planned fault happen now; where it does not apply any more nothing does."""
        if self._quiet:
            return
        self.trace(f"fault: {fault}")
        host = self._hosts.get(fault.host)
        match fault.kind:
            case "kill":
                self.kill(fault.host)
            case "pause" if host is not None:
                host.process.pause()
                hangs = fault.length_us >= HANG_US
                then = partial(self._hangs, host) if hangs else host.process.resume
                self.network.later(min(fault.length_us, HANG_US), then)
            case "partition":
                self.network.part(fault.host, fault.other, fault.length_us)
                if not fault.amount:
                    self.network.part(fault.other, fault.host, fault.length_us)
            case "full":
                disk = self.disks[fault.host]
                disk.full = True
                self.network.later(fault.length_us, partial(setattr, disk, "full", False))
            case "clock" if host is not None:
                host.clock.offset_us += fault.amount
            case "twin" if fault.host in self._serving and host is not self._leaving:
                self._twin(self._serving[fault.host], fault.length_us)
            case "mistake":
                self.views.mistake(fault.host, fault.length_us)
            case "replace":
                await self.replace(fault.host)
            case _:
                self.trace("which finds nobody")

    def refused(self, process: Process, refusal: Refused) -> None:
        """Only who has lost a shard may have an append refused: any other is ill made."""
        if refusal.kind in (RefusalKind.INVALID, RefusalKind.WRONG_PREVIOUS):
            self.misfits.append(f"{process.name}: {refusal.reason}")

    def reached(self, process: Process, point: CrashPoint) -> bool:
        """A process has come to a step of the commit path; True when it was killed there."""
        if self._quiet or not self._crashes.happens(self.plan.rates.crash_at.get(point, 0.0)):
            return False
        for number, host in list(self._hosts.items()):
            if host.process is process:
                self.trace(f"{process.name}: dies at {point}")
                self.kill(number)
        return not process.alive


def _nobody(host: SimulatedHost) -> None:
    """Nobody has connections yet."""
