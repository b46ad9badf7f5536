"""Plays a plan and judges what came of it.

Theory of operation. Clients and planned faults run until every client has asked all that it is to
ask. Then the world is healed, and every entity is read once more, by queries that need no argument:
a service that does not answer then is found as such. At the end everything is killed, and what the
disks hold is read. The rules of `checking` judge operations and records, the sequential model of
each component its answers; what the service's own code must not do is found on the way.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.errors import ModelFailed
from actorkalix.limits import Limits
from actorkalix.testkit.checking import (
    RULES,
    Evidence,
    Finding,
    Verdict,
    Viewed,
    folded,
    judge,
    linearizability,
    model_of,
    stored_of,
)
from actorkalix.testkit.checking.linearizability import RULE as LINEARIZABILITY
from actorkalix.testkit.checking.verdicts import Outcome
from actorkalix.testkit.history import History, Operation
from actorkalix_storage.api import RecordKind, StoredRecord, StoreError

from .chance import Chance
from .clients import Clients, Program
from .disk import DISK_FAILED
from .hosts import SimulatedHost
from .inside import actions_of, wanted_of
from .loop import Deadlock, Livelock, SimulationLoop
from .plan import Call, Plan
from .steps import flowed_of, workflows_of
from .trace import Told, digest_of, lines_of
from .world import World

STEPS_MAX = 500_000
RECORDS_MAX = 1_000_000
FINAL_TIMEOUT_MS = 20_000
DAY_S = 86_400
FINAL_CLIENT = "last"
REST_S = 1.0
SERVICE = "service"
"""The rule of what is found on the way."""
RULE_NAMES = (*(rule.name for rule in RULES), LINEARIZABILITY, SERVICE)
"""All that every run is judged by."""


class Run(msgspec.Struct, frozen=True):
    """What came of a plan.

    Attributes:
        plan: that was played.
        history: what was asked and answered.
        evidence: the history with all stored records.
        told: what happened in it, in order.
        verdicts: of all rules.
    """

    plan: Plan
    history: History
    evidence: Evidence
    told: Sequence[Told]
    verdicts: tuple[Verdict, ...]

    @property
    def trace(self) -> list[str]:
        """What happened in it, line by line; the same for the same plan, byte for byte."""
        return lines_of(self.told)

    @property
    def digest(self) -> str:
        """Stands for the trace."""
        return digest_of(self.told)

    @property
    def found(self) -> tuple[Verdict, ...]:
        """Verdicts with findings."""
        return tuple(verdict for verdict in self.verdicts if verdict.outcome == "found")


class Played(msgspec.Struct):
    """What a plan left behind, before it is judged.

    Attributes:
        at_rest: consumers had nothing more to do.
        viewed: rows of views, and what they ought to be.
        world: at its end; its disks have what is stored.
        history: what was asked and answered.
        records: all that are stored, by shard, in order; each with the operation that it comes
            from and its writer, as far as they are known.
        findings: of what went wrong on the way.
    """

    world: World
    history: History
    records: tuple[tuple[StoredRecord, int | None, str], ...]
    findings: list[Finding]
    at_rest: bool = True
    viewed: tuple[Viewed, ...] = ()


class Subject(msgspec.Struct, frozen=True):
    """What is simulated, whatever the plan.

    Attributes:
        service: its descriptor.
        limits: of the service.
        programs: of clients, by name; a plan's calls of kind `program` name them.
        judges: further rules, by name; each looks at what a plan left behind.
    """

    service: ServiceDescriptor
    limits: Limits
    programs: Mapping[str, Program] = {}
    judges: Mapping[str, Judge] = {}


Judge = Callable[[Played], Iterable[Finding]]


def run_plan(subject: Subject, plan: Plan) -> Run:
    """Play a plan and judge it. Same plan, same run."""
    run = _judged(subject, plan, play(subject, plan))
    _let_go()
    return run


def trace_of(subject: Subject, plan: Plan) -> list[str]:
    """Play a plan for its trace alone; see `Run.trace`."""
    lines = play(subject, plan).world.trace.lines
    _let_go()
    return lines


def _let_go() -> None:
    """Collect what is left of a world, which nobody refers to by now but itself.

    Left to Python it happens every ten runs; by then it is old, and far from the processor.
    """
    gc.collect(1)


def _judged(subject: Subject, plan: Plan, played: Played) -> Run:
    service, limits = subject.service, subject.limits
    history, world = played.history, played.world
    stored = tuple(stored_of(*each) for each in played.records)
    acting = frozenset(one.component_id for one in workflows_of(service))
    evidence = Evidence(
        operations=_of_entities(service, history),
        stored=stored,
        was_read=True,
        ownerships=tuple(world.ownerships),
        is_complete=not world.inside.timers,  # one that is gone leaves a gap
        silent=world.written.silent,
        deliveries=tuple(world.inside.deliveries),
        wanted=tuple(wanted_of(service, (record for record, _, _ in played.records))),
        caused=tuple(world.inside.caused),
        at_rest=played.at_rest,
        viewed=played.viewed,
        acting=acting,
        executions=tuple(world.inside.executions),
        flows=tuple(
            flowed_of(record, one)
            for (record, _, _), one in zip(played.records, stored, strict=True)
            if one.component in acting and one.kind is RecordKind.EVENT
        ),
    )
    verdicts = [
        *judge(evidence),
        _linearizability(service, limits, history),
        *(_verdict(rule, look(played), history) for rule, look in subject.judges.items()),
        _verdict(SERVICE, played.findings, history),
    ]
    return Run(plan, history, evidence, world.trace.told, tuple(verdicts))


def play(subject: Subject, plan: Plan) -> Played:
    """Play a plan to its end and read what is stored."""
    service = subject.service
    loop = SimulationLoop(Chance(plan.seed).fork("scheduling"))
    world = World(service, subject.limits, plan, loop)
    clients = Clients(world, service, subject.programs)
    findings: list[Finding] = []
    with _quiet():
        try:
            loop.run_until_complete(_play(service, world, clients, findings), steps_max=STEPS_MAX)
        except (Deadlock, Livelock) as error:
            findings.append(Finding(f"the service came to no end: {error}"))
        finally:
            world.end()
            loop.close()
    findings += clients.findings
    ended = (reason for reason in world.fatal if DISK_FAILED not in reason)
    findings += [Finding(f"a host ended by itself: {reason}") for reason in ended]
    findings += [Finding(f"an append does not fit: {reason}") for reason in world.misfits]
    findings += [Finding(f"a handler fails: {text}") for text in world.written.raised]
    findings += [Finding(f"an exception that nobody took: {text}") for text in loop.problems]
    findings += [Finding(f"{type(error).__name__}: {error}") for error in world.findings.take()]
    records = tuple(_records(world, findings))
    viewed = tuple(_viewed(service, world, [each for each, _, _ in records]))
    world.views.end()
    return Played(world, clients.history, records, findings, world.at_rest, viewed)


async def _play(
    service: ServiceDescriptor, world: World, clients: Clients, findings: list[Finding]
) -> None:
    plan = world.plan
    await world.start()
    async with asyncio.TaskGroup() as group:
        faults = [group.create_task(_afflict(world, fault)) for fault in plan.faults]
        running = [
            group.create_task(clients.run(client, [c for c in plan.calls if c.client == client]))
            for client in range(plan.clients)
        ]
        await asyncio.wait(running, timeout=_patience_s(plan))
        late = [number for number, client in enumerate(running) if not client.done()]
        findings += [Finding(f"client {number} comes to no end within a day") for number in late]
        for task in (*faults, *running):
            task.cancel()
    world.trace("all clients are done, everything heals")
    await world.heal()
    await world.rest()
    findings += await _read_all(service, world, clients)
    await asyncio.sleep(world.limits.ask_timeout.total_seconds() + REST_S)
    world.at_rest = await world.rest()
    hosts = [host for host in world.serving if not host.host.caught_up]
    findings += [Finding(f"{host.process.name} {_unrest(host)}") for host in hosts]


def _unrest(host: SimulatedHost) -> str:
    if not host.host.idle:
        return "has a message that it never answers"
    return "has consumers that never come to rest"


def _patience_s(plan: Plan) -> float:
    """A day beyond what clients wait by themselves: what has not come by then never comes."""
    return DAY_S + sum(call.wait_us for call in plan.calls) / 1e6


async def _afflict(world: World, fault: Any) -> None:
    await asyncio.sleep(max(0, fault.at_us - world.loop.now_us) / 1e6)
    await asyncio.shield(world.afflict(fault))  # what has begun comes to its end


async def _read_all(
    service: ServiceDescriptor, world: World, clients: Clients
) -> Sequence[Finding]:
    """Read every entity once more; what is not answered is a finding."""
    chance = world.chance.fork("last")
    findings: list[Finding] = []
    asked = dict.fromkeys((each.component, each.entity) for each in clients.operations)
    for number, (component, entity) in enumerate(asked):
        for name, handler in service.components[component].handlers.items():
            if handler.kind != "query" or any(each.required for each in handler.parameters):
                continue
            call = Call(
                client=-1,
                number=number,
                wait_us=0,
                component=component,
                entity=entity,
                kind="query",
                method=name,
                body=b"",
                timeout_ms=FINAL_TIMEOUT_MS,
            )
            reply = await clients.ask(FINAL_CLIENT, call, chance.fork(number, name))
            if reply is None or (reply.failure is not None and reply.failure.retry_after_ms):
                text = f"{component} {entity!r} is not answered though everything is healed"
                findings.append(Finding(text, component, entity))
    return findings


def _records(
    world: World, findings: list[Finding]
) -> Iterator[tuple[StoredRecord, int | None, str]]:
    """All records, each with where it comes from; what cannot be read is a finding."""
    for shard, (home, *_) in enumerate(world.homes.homes):
        try:
            records = world.disks[home].store.records(shard, 0, limit=RECORDS_MAX)
        except StoreError as error:
            findings.append(Finding(f"shard {shard} cannot be read at the end: {error}"))
            continue
        yield from ((each, *world.written.of(each.record)) for each in records)


def _viewed(
    service: ServiceDescriptor, world: World, records: Sequence[StoredRecord]
) -> Iterator[Viewed]:
    """Rows of all views beside what the log makes of them."""
    for name, view in world.views.views.items():
        expected = folded(service.components[name], records)
        found = {(table, subject): row for table, subject, row in view.rows()}
        for table, subject in dict.fromkeys((*expected, *found)):
            key = (table, subject)
            yield Viewed(name, table, subject, found.get(key), expected.get(key))


def _linearizability(service: ServiceDescriptor, limits: Limits, history: History) -> Verdict:
    acting = frozenset(one.component_id for one in workflows_of(service))
    operations = tuple(  # what goes on by itself has no sequential model
        one for one in _of_entities(service, history) if one.component not in acting
    )
    if history.operations and not operations:
        return Verdict(LINEARIZABILITY, "not_judged", note="nothing was asked that has a model")
    models = {
        component: model_of(service.components[component].cls, limits=limits)
        for component in dict.fromkeys(operation.component for operation in operations)
    }
    try:
        return linearizability(operations, models)
    except ModelFailed as problem:
        return _verdict(LINEARIZABILITY, [Finding(str(problem))], history)


def _of_entities(service: ServiceDescriptor, history: History) -> tuple[Operation, ...]:
    """What was asked of entities: of actions rules know nothing."""
    actions = frozenset(actions_of(service))
    if not actions:
        return history.operations
    return tuple(each for each in history.operations if each.component not in actions)


def _verdict(rule: str, found: Iterable[Finding], history: History) -> Verdict:
    findings = tuple(found)
    outcome: Outcome = "found" if findings else "passed"
    return Verdict(rule, outcome, len(history.operations), findings)


@contextmanager
def _quiet() -> Generator[None]:
    """Hosts that die by the hundred say so in the trace, not in the log."""
    logger = logging.getLogger("actorkalix")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)
