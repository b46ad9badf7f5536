"""`simulate`: seeds are played one after the other until one fails; it is shrunk and reported.

A sample of the seeds is played twice. When the traces differ, the service depends on something that
the simulation does not control: a clock, chance, threads, a file; the first line that differs names
the handler.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from actorkalix.errors import HistoryUnreadable
from actorkalix.model.service import Service
from actorkalix.testkit.invariants import Invariant, judges_of, named

from .clients import Program
from .faults import Faults, Preset
from .plan import Plan, draw_plan
from .report import PLAN_FILE, failure_text, write_report
from .run import Run, Subject, run_plan, trace_of
from .shrink import shrink
from .trace import first_difference
from .workload import Workload

REPLAYED_EVERY = 16
"""Of the seeds, one is played twice."""

CAUSES = (
    "reads a clock, draws a number, starts a thread, looks into a file, keeps a variable outside "
    "of its state, or goes through a set of strings"
)
"""What makes a run do something else the second time."""

Programs = Mapping[str, Program] | Sequence[Program]
"""Programs by name, or under the names of the functions."""


class SimulationFailed(AssertionError):
    """A run broke a rule. Its text says what was found, and how to see it again.

    Attributes:
        seed: that failed.
        run: the shrunk run.
    """

    def __init__(self, text: str, seed: int, run: Run) -> None:
        super().__init__(text)
        self.seed = seed
        self.run = run


class NotDeterministic(AssertionError):
    """One seed was played twice and did not do the same.

    A handler, an applier or a constructor reads a clock, draws a number, starts a thread, looks
    into a file, keeps a variable outside of its state, or goes through a set of strings.
    `self.context.now` and ids that the caller sends are the same in every run.
    """


class Simulation(msgspec.Struct, frozen=True):
    """What `simulate` has done.

    Attributes:
        seeds: that were played, none of which failed.
        operations: that were asked in all of them.
        faults: that happened in all of them as planned; what goes wrong by itself is not counted.
        run: the last one.
    """

    seeds: range
    operations: int
    faults: int
    run: Run


def simulate(
    service: Service,
    /,
    *,
    seed: int = 0,
    runs: int = 1,
    hosts: int = 3,
    clients: int = 5,
    operations: int = 200,
    entities: int = 4,
    faults: Faults | Preset = "usual",
    workload: Workload | None = None,
    invariants: Sequence[Invariant[Any]] = (),
    programs: Programs = (),
    report: Path | str | None = None,
    shrinks: bool = True,
    on_run: Callable[[Run], object] | None = None,
) -> Simulation:
    """Run a service as a whole cluster under random faults on virtual time, and check everything.

    Several hosts, with links and a disk each, run in this process. Clients ask random things of a
    few entities, while hosts are killed, stopped and replaced, batches are lost and disks fail.
    Afterwards `actorkalix.testkit.checking` judges what was answered and what is stored.

    Args:
        service: to run; its own limits count.
        seed: of the first run; same seed, same run, byte for byte.
        runs: how many, with the seeds after it.
        hosts: how many there are, 1 to 16.
        clients: that ask at the same time, one thing at a time each.
        operations: of a run.
        entities: of each component that are asked; fewer contend more.
        faults: what goes wrong, and how often.
        workload: what is asked; everything that the service has when not given.
        invariants: what else must hold; functions marked with `@invariant`.
        programs: what clients do on their own; without a workload they do nothing else.
        report: folder for plan, history, trace and picture of a run that fails.
        shrinks: make a run that fails smaller before it is reported.
        on_run: is told of each run.

    Raises:
        SimulationFailed: a run broke a rule.
        NotDeterministic: a run did not do the same again.
        TypeError, ValueError, WorkloadUnfit: an argument does not fit; the message names it.
    """
    seeds = _seeds(seed, runs)
    asked = planned = 0
    last: Run | None = None
    subject = subject_of(service, invariants, programs)
    for each in seeds:
        plan = draw_plan(
            service.descriptor,
            each,
            hosts=hosts,
            clients=clients,
            operations=operations,
            entities=entities,
            faults=Faults.preset(faults) if isinstance(faults, str) else faults,
            workload=workload,
            programs=tuple(subject.programs),
        )
        last = play_one(subject, plan, report=report, shrinks=shrinks)
        if each % REPLAYED_EVERY == seed % REPLAYED_EVERY:
            play_again(subject, last)
        asked += len(last.history.operations)
        planned += len(plan.faults)
        if on_run is not None:
            on_run(last)
    assert last is not None, "there was a run"
    return Simulation(seeds, asked, planned, last)


def _seeds(seed: int, runs: int) -> range:
    if runs < 1:
        raise ValueError(f"runs is {runs}; at least one run proves anything")
    return range(seed, seed + runs)


def subject_of(
    service: Service,
    invariants: Sequence[Invariant[Any]] = (),
    programs: Programs = (),
) -> Subject:
    """What is simulated; see `simulate`.

    Raises:
        TypeError: an invariant is none, or does not fit the service.
        ValueError: two have one name.
    """
    return Subject(
        service.descriptor,
        service.limits,
        named(programs, "programs"),
        judges_of(service.descriptor, service.limits, invariants),
    )


def play_one(
    subject: Subject,
    plan: Plan,
    *,
    report: Path | str | None = None,
    shrinks: bool = True,
    command: str = "",
) -> Run:
    """Play a plan once.

    Args:
        subject: what is simulated.
        plan: to play.
        report: folder for what is known of a run that fails.
        shrinks: make it smaller first.
        command: that plays seeds of this subject, for the text; "" is none.

    Raises:
        SimulationFailed: it broke a rule.
        NotDeterministic: it broke a rule, and did not do the same again.
    """
    run = run_plan(subject, plan)
    if not run.found:
        return run
    play_again(subject, run)  # what does not do the same twice breaks rules for that alone
    if shrinks:
        run = _shrunk(subject, run)
    if report is not None:
        write_report(run, Path(report))
    text = failure_text(run, plan.seed, _repeat(plan, report, command))
    raise SimulationFailed(text, plan.seed, run)


def _repeat(plan: Plan, report: Path | str | None, command: str) -> str:
    """How the run is had again."""
    if not command:
        written = f"; what is known of it is in {report}" if report is not None else ""
        return f"the same call with seed={plan.seed}{written}"
    if report is None:
        return f"{command} --seed {plan.seed} --runs 1"
    return f"{command} --plan {shlex.quote(str(Path(report) / PLAN_FILE))}"


def play_again(subject: Subject, run: Run) -> None:
    """Play a run's plan once more.

    Raises:
        NotDeterministic: it did not do the same.
    """
    difference = first_difference(run.trace, trace_of(subject, run.plan))
    if difference is not None:
        number, one, other = difference
        raise NotDeterministic(
            f"seed {run.plan.seed} played twice is not the same from line {number} of its trace "
            f"on:\n  first:  {one}\n  second: {other}\n"
            f"something in the service {CAUSES}"
        )


def _shrunk(subject: Subject, run: Run) -> Run:
    """The smallest run that breaks the same rule."""
    rules = {verdict.rule for verdict in run.found}

    def fails(plan: Plan) -> bool:
        try:
            found = run_plan(subject, plan).found
        except HistoryUnreadable:  # there is nothing left that it asks
            return False
        return not rules.isdisjoint(verdict.rule for verdict in found)

    return run_plan(subject, shrink(run.plan, fails))
