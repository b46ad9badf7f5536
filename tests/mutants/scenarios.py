"""Scenarios in which planted bugs show: small, and with much of the one fault that a bug needs.

Entities are few and asked at short intervals, for bugs live where things happen at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from actorkalix import Dedicated, Limits, Service
from actorkalix.testkit.invariants import Invariant
from actorkalix.testkit.simulation.clients import Program
from actorkalix.testkit.simulation.faults import Faults
from actorkalix.testkit.simulation.plan import Plan, draw_plan
from actorkalix.testkit.simulation.run import Judge, Subject
from actorkalix.testkit.simulation.simulating import subject_of
from actorkalix.testkit.simulation.workload import Workload
from tests.sim.flows import service as flows
from tests.sim.followers import ringing, service
from tests.sim.viewed import service as viewed

from .rules import (
    LONG,
    lives_end_once,
    nothing_is_lost,
    nothing_is_refused,
    timers_keep_their_time,
    times_never_go_back,
    undone_in_time,
)
from .services import Account, Lease, Pad


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """What is played, but for the seed.

    Attributes:
        name: for people.
        service: that is asked.
        faults: what goes wrong.
        hosts, clients, operations, entities, shards, keyed, queries: see `draw_plan`.
        weights, values: see `Workload`.
        timeout_ms: of every call, 0 for what `draw_plan` draws.
        renamed: ids of entities that are asked by another name, which `draw_plan` would refuse.
        wait_ms: mean time between two calls of a client.
        programs: of clients, instead of single calls.
        invariants: of the service.
        judges: rules besides the usual ones.
        tolerated: rules that it breaks without any bug.
    """

    name: str
    service: Service
    faults: Faults
    hosts: int = 2
    clients: int = 4
    operations: int = 40
    entities: int = 1
    shards: int = 4
    keyed: float = 0.2
    queries: float = 0.3
    weights: dict[str, float] = {}
    values: dict[str, list[Any]] = {}
    timeout_ms: int = 0
    renamed: dict[str, str] = {}
    wait_ms: float = 4.0
    programs: tuple[Program, ...] = ()
    invariants: tuple[Invariant[Any], ...] = ()
    judges: Mapping[str, Judge] = {}
    tolerated: frozenset[str] = frozenset()

    def subject(self) -> Subject:
        """What is simulated."""
        subject = subject_of(self.service, self.invariants, self.programs)
        judges = {**subject.judges, **self.judges}
        return msgspec.structs.replace(subject, judges=judges)

    def plan(self, seed: int) -> Plan:
        """What is done in the run of a seed."""
        plan = draw_plan(
            self.service.descriptor,
            seed,
            hosts=self.hosts,
            clients=self.clients,
            operations=self.operations,
            entities=self.entities,
            shards=self.shards,
            keyed=self.keyed,
            queries=self.queries,
            faults=self.faults,
            workload=None if self.programs else self._workload(),
            programs=tuple(program.__name__ for program in self.programs),
        )
        calls = (
            msgspec.structs.replace(
                call,
                entity=self.renamed.get(call.entity, call.entity),
                timeout_ms=self.timeout_ms or call.timeout_ms,
            )
            for call in plan.calls
        )
        return msgspec.structs.replace(plan, calls=tuple(calls))

    def _workload(self) -> Workload:
        return Workload(weights=self.weights, values=self.values, wait_ms=self.wait_ms)

    def but(self, **changes: Any) -> Scenario:
        """A scenario like this one."""
        return msgspec.structs.replace(self, **changes)


PATIENT_MS = 20_000

QUIET = Faults.none()
SLOW = msgspec.structs.replace(
    QUIET, network_mean_us=300, client_mean_us=200, commit_mean_us=1_500, commit_slow=0.05
)


def slow(**faults: Any) -> Faults:
    """Commits that take their time, and these faults."""
    return msgspec.structs.replace(SLOW, **faults)


KILLS = slow(kill_every_ms=15, restart_min_us=500, restart_mean_us=1_000, torn=0.5)

LOST = {"nothing_is_lost": nothing_is_lost}
REFUSED = {**LOST, "nothing_is_refused": nothing_is_refused}
TIMES = {"times_never_go_back": times_never_go_back}


def _service(**limits: Any) -> Service:
    return Service("mutants", components=[Account, Pad], limits=Limits(**limits))


class FarAccount(Account, id="far-account", hosting=Dedicated()):
    """An account whose instances run in processes of their own."""


kills = Scenario(name="kills", service=_service(), faults=KILLS)
full = Scenario(
    name="full",
    service=_service(),
    faults=slow(commit_fails=0.15),
    judges=LOST,
    timeout_ms=PATIENT_MS,
)
far_full = full.but(
    name="far_full",
    service=Service("mutants", components=[FarAccount]),
    faults=slow(commit_fails=0.15, place_mean_us=300),
)
far_ends = far_full.but(
    name="far_ends", faults=slow(commit_fails=0.05, place_mean_us=300, place_fails=0.1)
)
far_clocks = far_ends.but(
    name="far_clocks",
    faults=slow(clock_every_ms=10, clock_backward_ms=500, place_mean_us=5_000),
    service=Service("mutants", components=[FarAccount, Account]),
    entities=3,
    shards=1,
    judges=TIMES,
)
waiting = full.but(name="waiting", service=_service(speculation_max=1))
broken = Scenario(
    name="broken",
    service=_service(),
    faults=slow(commit_breaks=0.15, restart_min_us=500, restart_mean_us=1_000),
    weights={"swap": 3},
)
lossy = Scenario(
    name="lossy",
    service=_service(),
    faults=slow(drop=0.1, duplicate=0.2, reorder=0.1),
    wait_ms=2.0,
    judges=REFUSED,
    timeout_ms=PATIENT_MS,
)
retries = kills.but(name="retries", keyed=1.0, queries=0.0, weights={"swap": 0, "tell": 0})
calm = Scenario(name="calm", service=_service(), faults=SLOW, judges=REFUSED, timeout_ms=PATIENT_MS)
forgetful = calm.but(name="forgetful", service=_service(passivate_after=timedelta(milliseconds=2)))
bad_ids = calm.but(
    name="bad_ids",
    entities=2,
    renamed={"e1": "x" * LONG},
    queries=0.0,
    tolerated=frozenset({"service"}),
)
clocks = kills.but(
    name="clocks", faults=slow(clock_every_ms=10, clock_backward_ms=500), judges=TIMES
)
skewed = clocks.but(
    name="skewed", faults=slow(kill_every_ms=20, restart_min_us=500, clock_skew_ms=500)
)
patient = Scenario(
    name="patient",
    service=_service(
        ask_timeout=timedelta(seconds=15),
        owner_wait=timedelta(seconds=10),
    ),
    faults=slow(swallow=0.3, drop=0.1),
    operations=24,
    queries=0.0,
    keyed=0.0,
    weights={"tell": 0, "take": 0},
    timeout_ms=PATIENT_MS,
)
severed = Scenario(
    name="severed",
    service=_service(),
    faults=slow(partition_every_ms=30, partition_mean_ms=9_000, partition_one_way=1.0),
)
twins = Scenario(name="twins", service=_service(), faults=slow(twin_every_ms=10, twin_mean_ms=30))
replaced = Scenario(name="replaced", service=_service(), faults=slow(replace_every_ms=15))
leases = kills.but(
    name="leases",
    service=Service("mutants", components=[Lease]),
    faults=slow(
        kill_every_ms=20,
        restart_min_us=500,
        restart_mean_us=1_000,
        clock_skew_ms=40,
    ),
    keyed=0.0,
    wait_ms=10.0,
    entities=2,
    judges={"lives_end_once": lives_end_once},
    tolerated=frozenset({"linearizability"}),  # time stands still in a model
)
followers = Scenario(
    name="followers",
    service=service,
    faults=slow(
        kill_every_ms=700,
        replace_every_ms=1_500,
        restart_min_us=500,
        restart_mean_us=1_000,
        delivery_fails=0.1,
    ),
    weights={"send": 6, "set": 0, "ask_in_vain": 0, "target.take": 0, "refuse": 0},
    values={"source.send.target": [0, 1]},
    entities=2,
    wait_ms=300.0,
)
failing = followers.but(
    name="failing",
    faults=slow(kill_every_ms=1_500, restart_min_us=500, delivery_fails=0.4),
    entities=4,
    wait_ms=600.0,
)
behind = followers.but(
    name="behind",
    faults=slow(replace_every_ms=10, kill_every_ms=10, restart_min_us=200, restart_mean_us=200),
    hosts=1,
    clients=8,
    entities=1,
    queries=0.0,
    wait_ms=4.0,
)
down = failing.but(name="down", faults=slow(delivery_fails=0.9), hosts=1, entities=12)
set_back = failing.but(
    name="set_back", faults=slow(delivery_fails=0.4, clock_every_ms=500, clock_backward_ms=500)
)
timers = Scenario(
    name="timers",
    service=ringing,
    faults=slow(
        kill_every_ms=60,
        restart_min_us=500,
        restart_mean_us=1_000,
        crash_at={"after_write": 0.03},
    ),
    weights={"set": 10, "send": 0, "ask_in_vain": 0, "target.take": 0, "refuse": 0, "ring": 0},
    values={"source.set.ms": [5, 20, 60]},
    entities=2,
    queries=0.5,
    wait_ms=30.0,
    judges={"timers_keep_their_time": timers_keep_their_time},
)
views = Scenario(
    name="views",
    service=viewed,
    faults=slow(
        kill_every_ms=60,
        restart_min_us=500,
        restart_mean_us=1_000,
        drop=0.1,
        duplicate=0.1,
        reorder=0.1,
        view_dies=0.1,
        view_lost=0.2,
        mistake_every_ms=50,
        mistake_mean_ms=20,
    ),
    weights={"put": 4, "put_three": 2, "smash": 0.3, "tear": 0.1},
    operations=60,
    entities=2,
    keyed=0.0,
    wait_ms=6.0,
)
failing_views = views.but(
    name="failing_views",
    faults=slow(delivery_fails=0.1, view_dies=0.05, restart_min_us=500, mistake_every_ms=100),
    weights={"put": 4, "put_three": 2, "smash": 0.1, "tear": 0},
    wait_ms=60.0,
)

workflows = Scenario(
    name="workflows",
    service=flows,
    faults=slow(
        kill_every_ms=150,
        replace_every_ms=400,
        restart_min_us=500,
        restart_mean_us=1_000,
        delivery_fails=0.25,
        crash_at={"after_write": 0.02},
    ),
    weights={
        "purse.move": 0,
        "purse.back": 0,
        "move.late": 0,
        "timed.late": 0,
        "hasty.start": 0,
        "hasty.late": 0,
        "pair.resolve": 0,
        "pair.suspend": 0,
        "pair.resume": 0,
        "pair.restart": 0,
        "again": 3,
        "suspend": 1,
        "resume": 3,
        "terminate": 0.3,
        "restart": 0.5,
        "resolve": 2,
    },
    values={
        "start.amount": [1, 2, 3, 3],
        "start.to": ["target", "target", "shut"],
        "restart.step": ["", "take", "give"],
        "resolve.name": ["word"],
        "begin.amount": [3],
        "suspend.reason": ["x"],
        "terminate.reason": ["y"],
        "resolve.value": [None],
    },
    entities=3,
    clients=4,
    queries=0.3,
    wait_ms=40.0,
)
late_calls = workflows.but(
    name="late_calls",
    faults=slow(
        kill_every_ms=120,
        restart_min_us=500,
        restart_mean_us=1_000,
        network_mean_us=15_000,
        delivery_fails=0.2,
    ),
    hosts=3,
    weights={
        **workflows.weights,
        "hasty.start": 2,
        "restart": 0,
        "begin": 0,
        "terminate": 0,
    },
    judges={"undone_in_time": undone_in_time},
)
