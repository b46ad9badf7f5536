"""The fleet: keeps one host at every store of a service. Runs in the controller process.

States of a store, and what takes it from one to the next:

    state      why                                   next
    AWAY       nobody has it open                    STARTING with the next standby
    STARTING   a host opens it                       SERVING · died: AWAY · refused: FENCED
    SERVING    its host answers                      replace: DRAINING · died: AWAY
    DRAINING   its host finishes, then is killed     AWAY · died: AWAY
    FENCED     it killed `DEATHS_MAX` hosts within   (stays, until the operator starts the
               `DEATHS_WITHIN_S`, or cannot be       service again)
               opened

Taking over a store is: SIGKILL by pidfd, wait for the end (the OS has released the store's lock),
let a standby open it, which raises the shards' epochs. A host that is silent is killed like that,
too; whatever it does if it ever goes on, it does not go on. So there is one owner at most, always.

A controller holds nothing that cannot be found again: who lives is asked of `members`, who has
which store of themselves, and what is remembered about deaths lies in a file of the run's scratch
folder. It may be killed at any moment; hosts serve on, and the next controller adopts them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec

from actorkalix_cluster.rayhost import members
from actorkalix_cluster.rayhost.actors import Actor, Making, found, running, wait_first
from actorkalix_cluster.rayhost.contract import (
    STANDBY,
    Assignment,
    Beat,
    CallRefused,
    Roll,
)
from actorkalix_cluster.rayhost.events import (
    Ending,
    FleetEvent,
    HostDied,
    HostDrains,
    HostServes,
    StoreFenced,
)
from actorkalix_cluster.rayhost.memory import DEATHS_MAX, DEATHS_WITHIN_S, Memory
from actorkalix_cluster.rayhost.slots import Slot, SlotState
from actorkalix_cluster.rayhost.standbys import NoStandby, Standbys

log = logging.getLogger("actorkalix.fleet")

CLOCK_MS_MAX = 5_000  # a host whose clock is further off gets no store
RETIRE_S_MAX = 10.0  # for connections of a host that is replaced; then they are closed
SETTLE_S_MAX = 5.0  # for the answers that other hosts wait for
STOP_S_MAX = 5.0  # beyond the grace: closing what is open


class FleetPlan(msgspec.Struct, frozen=True):
    """What to keep alive.

    Attributes:
        making: what all processes share.
        factory, config: of standbys and hosts.
        stores: configuration of each store's assignment, by its number.
        homes: the home table, encoded for hosts.
        grace_s: for draining, seconds.
    """

    making: Making
    factory: str
    config: bytes
    stores: dict[int, bytes]
    homes: bytes
    grace_s: float


class Fleet:
    """See the module. Used from one event loop.

    Args:
        plan: what to keep alive.
        report: is told what happens, on the event loop; must not block.
    """

    def __init__(self, plan: FleetPlan, report: Callable[[FleetEvent], object]) -> None:
        self._plan = plan
        self._report = report
        self._scratch = Path(plan.making.scratch)
        self._memory = Memory.read(self._scratch)
        self.slots = {number: Slot(number) for number in sorted(plan.stores)}
        self._roll = 0
        self._stop = asyncio.Event()
        self._grace_s = plan.grace_s
        self._retired = 0  # hosts that have answered all requests of a fleet that stops
        self._all_retired = asyncio.Event()
        self._drained = True
        self._standbys: Standbys | None = None
        self._group: asyncio.TaskGroup | None = None
        self._background: list[asyncio.Task[None]] = []

    @property
    def standbys(self) -> list[Actor]:
        """Those that wait for a store."""
        return self._standbys.ready if self._standbys is not None else []

    def deaths(self, store: int) -> int:
        """How many hosts of a store died lately."""
        return self._memory.deaths(store, time.time())

    async def run(self) -> Ending:
        """Keep hosts alive until asked to stop, or until no store can be served."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            plan = self._plan
            standbys = Standbys(plan.making, plan.factory, plan.config, self._spawn, self._seen)
            self._standbys = standbys
            await self._adopt(standbys)
            ended = await asyncio.gather(
                *(self._keep(slot, standbys) for slot in self.slots.values())
            )
            await standbys.close()
            for task in self._background:
                task.cancel()
        endings = [ending for ending in ended if ending is not None]
        if self._stop.is_set():
            return Ending("stopped" if self._drained else "cut")
        return next((each for each in endings if each.cause == "refused"), endings[0])

    async def stop(self, grace_s: float) -> None:
        """Let all hosts drain; `run` returns when they have."""
        self._grace_s = grace_s
        self._stop.set()

    async def replace(self, store: int) -> None:
        """Put another process in the place of a store's host, without failing a request.

        Raises:
            KeyError: there is no such store, or it is not served now.
        """
        slot = self.slots[store]
        if not slot.serves:
            raise KeyError(store)
        served = slot.incarnation
        slot.replace.set()
        while slot.incarnation == served or not slot.serves:
            if slot.reason or self._stop.is_set():
                raise KeyError(store)
            await slot.changed()

    async def call(self, store: int, method: str, arguments: bytes) -> bytes | None:
        """Ask the host that has a store open; None when there is none, or it has ended.

        Raises:
            CallRefused: what it said instead.
        """
        slot = self.slots.get(store)
        if slot is None or slot.actor is None or not slot.is_open:
            return None
        return await slot.actor.call(method, arguments)

    # ---- a store ------------------------------------------------------------------------------
    async def _keep(self, slot: Slot, standbys: Standbys) -> Ending | None:
        """Keep a host at a store; returns why there is none any more, None when asked to stop."""
        reason = self._memory.fenced.get(slot.number)
        if reason is not None:
            return self._fence(slot, reason, Ending("dying", reason))
        while not self._stop.is_set() or slot.actor is not None:
            ending: Ending | None = None
            try:
                if slot.actor is None:
                    await self._open(slot, standbys)
                if slot.state is SlotState.SERVING:
                    await self._attend(slot, standbys)
            except CallRefused as refused:
                ending = Ending("refused", str(refused), refused.number)
            except NoStandby as error:
                ending = Ending("refused" if error.number else "dying", str(error), error.number)
            else:
                ending = await self._mourn(slot)
            if ending is not None:
                return self._fence(slot, ending.message, ending)
        self._retire_one()
        return None

    async def _open(self, slot: Slot, standbys: Standbys) -> None:
        """Give the store to a standby; it serves, or has ended, when this returns."""
        taking = asyncio.ensure_future(standbys.take())
        async with running(self._stop.wait()) as stopping:
            await asyncio.wait((taking, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not taking.done():
            taking.cancel()
            return
        actor = taking.result()
        slot.start(actor, incarnation=time.time_ns())
        if abs(actor.clock_off_ms) > CLOCK_MS_MAX:
            raise NoStandby(f"the clock of process {actor.pid} is {actor.clock_off_ms} ms off ours")
        assignment = Assignment(
            slot.number, slot.incarnation, self._plan.stores[slot.number], self._memory.blocked
        )
        facts = await self._unless_lost(
            actor, actor.call("start", msgspec.msgpack.encode(assignment))
        )
        if facts is not None:
            self._serves(slot, actor, facts)

    def _serves(self, slot: Slot, actor: Actor, facts: bytes) -> None:
        away_s = slot.serve()
        self._publish()
        self._report(HostServes(slot.number, actor.pid, facts, away_s))
        if self._standbys is not None and not any(
            each.state in (SlotState.AWAY, SlotState.STARTING) for each in self.slots.values()
        ):
            self._standbys.keep_ahead(1)

    async def _attend(self, slot: Slot, standbys: Standbys) -> None:
        """A store is served: until its host ends, is replaced, or everything stops."""
        actor = slot.actor
        assert actor is not None
        async with running(self._tell(slot, actor)):
            await wait_first(actor.ended, actor.silent, slot.replace, self._stop)
            if self._stop.is_set():
                await self._drain(slot, actor)
            elif slot.replace.is_set() and actor.alive and not actor.silent.is_set():
                await self._hand_over(slot, actor, standbys)

    async def _hand_over(self, slot: Slot, actor: Actor, standbys: Standbys) -> None:
        """Let a host finish what it has, while its successor stands by."""
        successor = await standbys.take()
        slot.drain()
        self._report(HostDrains(slot.number, actor.pid))
        await self._within(RETIRE_S_MAX, actor, actor.call("retire", _packed(RETIRE_S_MAX / 2)))
        # What others ask of it is answered, and what they would ask then waits for the successor:
        # a batch that is on its way when a process ends has an outcome that nobody knows.
        slot.leaving = True
        self._publish()
        await asyncio.gather(*(self._settle(each, slot.number) for each in self.slots.values()))
        await self._within(
            self._grace_s + STOP_S_MAX, actor, actor.call("stop", _packed(self._grace_s))
        )
        slot.expected_end = True
        standbys.put_first(successor)

    async def _settle(self, other: Slot, store: int) -> None:
        """Wait until a host has all answers of a store's host."""
        actor = other.actor
        if other.number == store or actor is None or not other.serves:
            return
        try:
            await self._within(SETTLE_S_MAX, actor, actor.call("settle", _packed(store)))
        except CallRefused as refused:
            log.warning("host %d of store %d: %s", actor.pid, other.number, refused)

    async def _drain(self, slot: Slot, actor: Actor) -> None:
        """Everything stops: all hosts answer their requests before the first store is closed."""
        slot.drain()
        self._report(HostDrains(slot.number, actor.pid))
        patience_s = self._grace_s + STOP_S_MAX
        quiet = await self._within(patience_s, actor, actor.call("quiet", _packed(self._grace_s)))
        self._retire_one()
        await wait_first(self._all_retired, timeout_s=patience_s)
        closed = await self._within(patience_s, actor, actor.call("stop", _packed(1.0)))
        self._drained = self._drained and quiet is not None and closed is not None
        slot.expected_end = True

    def _retire_one(self) -> None:
        self._retired += 1
        if self._retired >= len(self.slots):
            self._all_retired.set()

    async def _mourn(self, slot: Slot) -> Ending | None:
        """The host of a store has ended, or is to; an ending when it was one too many."""
        actor = slot.actor
        if actor is None:
            return None
        silent = actor.silent.is_set()
        await actor.kill()
        slot.lose()
        self._publish()
        if slot.expected_end:
            slot.expected_end = False
            return None
        reason = actor.reason(self._scratch)
        if silent:
            reason = "it gave no sign of life for 5 s and was killed"
        deaths = self._memory.died(slot.number, time.time())
        self._report(HostDied(slot.number, actor.pid, reason, deaths))
        if deaths < DEATHS_MAX:
            return None
        within = f"{deaths} hosts died within {DEATHS_WITHIN_S:.0f} s"
        return Ending("dying", f"{within}; the last one: {reason}")

    def _fence(self, slot: Slot, reason: str, ending: Ending) -> Ending:
        actor = slot.actor
        slot.fence(reason)
        if actor is not None:
            self._spawn(actor.kill(), f"kill {actor.name}")
        self._memory.fence(slot.number, reason)
        self._retire_one()
        self._publish()
        self._report(StoreFenced(slot.number, reason, ending.number))
        return ending

    # ---- the others ---------------------------------------------------------------------------
    async def _adopt(self, standbys: Standbys) -> None:
        """Find what an earlier controller has left, and go on with it."""
        own = self._plan.making.prefix + "process-"
        for member in members.present(self._scratch):
            if not member.name.startswith(own):
                continue
            actor = await found(self._plan.making, member.name, member.peer)
            if actor is None:
                continue
            slot = self.slots.get(actor.last.store)
            if actor.last.store == STANDBY:
                standbys.adopt(actor)
            elif slot is not None and slot.actor is None and actor.last.state == "serving":
                standbys.attend(actor)
                slot.start(actor, actor.last.incarnation)
                slot.serve()
            else:  # it was starting or stopping: whether it came to an end of that is not known
                await actor.kill()
        self._publish()
        if all(slot.state is SlotState.SERVING for slot in self.slots.values()):
            standbys.keep_ahead(1)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        assert self._group is not None, "the fleet runs"
        self._background.append(self._group.create_task(work, name=name))

    def _publish(self) -> None:
        """Tell every host who is there."""
        self._roll += 1
        for slot in self.slots.values():
            slot.news.set()

    async def _tell(self, slot: Slot, actor: Actor) -> None:
        """Bring one host the news until it is lost."""
        while True:
            await slot.news.wait()
            slot.news.clear()
            open_ = {s.number: s for s in self.slots.values() if s.is_open}
            roll = Roll(
                time.time_ns(),
                {number: each.incarnation for number, each in open_.items()},
                {s.number: s.reason for s in self.slots.values() if s.state is SlotState.FENCED},
                self._plan.homes,
                tuple(s.number for s in self.slots.values() if s.leaving),
            )
            handles: dict[int, Any] = {
                number: each.actor.handle
                for number, each in open_.items()
                if each.actor is not None and number != slot.number
            }
            try:
                await actor.enroll(roll, handles)
            except CallRefused as refused:
                log.error("store %d was not told who is there: %s", slot.number, refused)

    def _seen(self, actor: Actor, beat: Beat) -> None:
        """A sign of life: what it says of blocking components is remembered for the next hosts."""
        self._memory.block(beat.blocked)

    async def _unless_lost(self, actor: Actor, call: Any) -> bytes | None:
        """What a call answers; None when its process ends or falls silent before that."""
        answer = asyncio.ensure_future(call)
        async with running(wait_first(actor.silent)) as silent:
            await asyncio.wait((answer, silent), return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            found_: bytes | None = answer.result()
            return found_
        answer.cancel()
        return None

    async def _within(self, timeout_s: float, actor: Actor, call: Any) -> bytes | None:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._unless_lost(actor, call)
        except TimeoutError:
            return None


def _packed(argument: float) -> bytes:
    return msgspec.msgpack.encode(argument)
