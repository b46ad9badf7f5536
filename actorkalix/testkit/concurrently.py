"""`concurrent`: a test that is played by hypothesis as a small cluster, again and again.

Theory of operation. Hypothesis draws a plan: who asks what, how long each waits, which faults
happen when, the seed of everything else. The plan is played in the simulation and judged by all
rules; only then is the body of the test called. What fails is shrunk by hypothesis, draw by draw,
so that what is left is about the shortest interleaving that fails: each part of a plan is drawn so
that its simplest value is the quietest one.

The test that hypothesis runs is made when the decorated function is called, for only then is it
known which seed and how many runs the command line wants. Hypothesis is imported when something is
decorated, not before.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from actorkalix.errors import HistoryUnreadable
from actorkalix.model.service import Service

from .invariants import Invariant
from .simulation.faults import Fault, Faults, Kind, Preset
from .simulation.plan import (
    CLIENTS_MAX,
    ENTITIES_MAX,
    HOSTS_MAX,
    OPERATIONS_MAX,
    RUNS_MAX,
    Plan,
    check_range,
)
from .simulation.plan_text import plan_of, text_of
from .simulation.report import failure_text, write_report
from .simulation.run import Run, Subject, run_plan
from .simulation.simulating import (
    CAUSES,
    NotDeterministic,
    Programs,
    SimulationFailed,
    subject_of,
)
from .simulation.workload import Workload

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

Test = Callable[..., None]
OVERRIDES = "actorkalix_overrides"
"""Attribute of a decorated test: what the command line wants of it."""

SHARDS = 4
SEED_MAX = 2**16
FAULTS_MAX = 3
FAULT_AT_US_MAX = 300_000
LENGTHS_US = (1_000, 20_000, 200_000, 6_000_000)
JUMPS_US = (1_000, -1_000, 500_000, -500_000, 2_000_000)


class Overrides(msgspec.Struct):
    """What the command line wants of a decorated test.

    Attributes:
        seed: of hypothesis; None is another one each time.
        runs: how many; None is what the test says.
        report: the test's own folder for what is known of a run that fails.
    """

    seed: int | None = None
    runs: int | None = None
    report: Path | None = None


class Setting(msgspec.Struct, frozen=True):
    """What plans are drawn for.

    Attributes:
        service: to ask.
        clients, operations, hosts, entities: how many at most.
        rates: of what goes wrong by itself, where anything does.
        workload: what is asked.
        programs: names of programs.
    """

    service: Service
    clients: int
    operations: int
    hosts: int
    entities: int
    rates: Faults
    workload: Workload | None
    programs: tuple[str, ...]


def concurrent(
    service: Service,
    /,
    *,
    clients: int = 3,
    operations: int = 20,
    runs: int = 100,
    hosts: int = 2,
    entities: int = 2,
    faults: Faults | Preset = "usual",
    workload: Workload | None = None,
    invariants: Sequence[Invariant[Any]] = (),
    programs: Programs = (),
    plan: str | None = None,
) -> Callable[[Test], Callable[..., None]]:
    """Make a test of what several clients do to a service at the same time, under faults.

    The test is a function, or a method, whose last parameter is a `Run`; other parameters are
    fixtures. Many small runs are drawn by hypothesis, simulated, and judged by all rules and by the
    invariants; the body is called with each that passed. What fails is shrunk to about the shortest
    interleaving that does.

    Args:
        service: to run; its own limits count.
        clients: that ask at the same time at most.
        operations: of a run at most.
        runs: how many are drawn; `--actorkalix-runs` counts more.
        hosts: how many there are at most.
        entities: of each component that are asked.
        faults: what may go wrong, and how often.
        workload: what is asked; everything that the service has when not given.
        invariants: what else must hold; functions marked with `@invariant`.
        programs: what clients do on their own; without a workload they do nothing else.
        plan: the word that a failure printed: it alone is played.

    Raises:
        TypeError, ValueError, WorkloadUnfit: an argument does not fit; the message names it.
    """
    check_range("clients", clients, 1, CLIENTS_MAX)
    check_range("operations", operations, 1, OPERATIONS_MAX)
    check_range("hosts", hosts, 1, HOSTS_MAX)
    check_range("runs", runs, 1, RUNS_MAX)
    check_range("entities", entities, 1, ENTITIES_MAX)
    subject = subject_of(service, invariants, programs)
    rates = Faults.preset(faults) if isinstance(faults, str) else faults
    setting = Setting(
        service, clients, operations, hosts, entities, rates, workload, tuple(subject.programs)
    )
    if plan is not None:
        known = plan_of(plan)
        return lambda test: _replaying(test, subject, known)
    strategy = plans(setting)
    return lambda test: _drawing(test, subject, strategy, runs)


def _replaying(test: Test, subject: Subject, plan: Plan) -> Callable[..., None]:
    """The test with one plan."""
    given = _parameter(test)

    @_like(test, given)
    def played(*args: object, **kwargs: object) -> None:
        __tracebackhide__ = True
        _play(subject, plan, lambda run: test(*args, **kwargs, **{given: run}))

    return played


def _drawing(
    test: Test, subject: Subject, strategy: SearchStrategy[Drawn], runs: int
) -> Callable[..., None]:
    """The test with plans that hypothesis draws."""
    given = _parameter(test)
    overrides = Overrides()

    def judged(*args: object, **kwargs: Any) -> None:
        __tracebackhide__ = True
        from hypothesis import reject

        drawn: Drawn = kwargs.pop(given)
        try:
            _play(subject, drawn.plan, lambda run: test(*args, **kwargs, **{given: run}))
        except HistoryUnreadable:  # programs that asked nothing
            reject()

    wraps(test)(judged)

    @_like(test, given)
    def drawing(*args: object, **kwargs: object) -> None:
        __tracebackhide__ = True
        from hypothesis.errors import Flaky

        try:
            _hypothesis_test(judged, strategy, runs, overrides)(*args, **kwargs)
        except Flaky as problem:
            raise NotDeterministic(
                f"{test.__qualname__}: one plan was played twice and failed only once: something "
                f"in the service or the test {CAUSES}"
            ) from problem
        except SimulationFailed as failed:
            failed.__notes__ = []  # hypothesis's: its text says it better
            if overrides.report is not None:
                write_report(failed.run, overrides.report)
            raise

    setattr(drawing, OVERRIDES, overrides)
    return drawing


def _hypothesis_test(
    judged: Test, strategy: SearchStrategy[Drawn], runs: int, overrides: Overrides
) -> Callable[..., None]:
    from hypothesis import HealthCheck, Phase, given, seed, settings

    made: Any = given(strategy)(judged)
    slow = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
    options: dict[str, Any] = {
        "max_examples": overrides.runs or runs,
        "deadline": None,
        "print_blob": False,  # the word of the plan says it better
        "report_multiple_bugs": False,
        "suppress_health_check": (*slow, HealthCheck.filter_too_much),
        "phases": (Phase.reuse, Phase.generate, Phase.shrink),
    }
    if overrides.seed is not None:
        made = seed(overrides.seed)(made)
        options["database"] = None  # what failed before would come first
    done: Callable[..., None] = settings(**options)(made)
    return done


def _play(subject: Subject, plan: Plan, body: Callable[[Run], object]) -> None:
    """Play a plan, judge it, then call the body of the test.

    Raises:
        SimulationFailed: it broke a rule.
        Exception: what the body raises, with a note of what was done.
    """
    __tracebackhide__ = True
    run = run_plan(subject, plan)
    if run.found:
        raise SimulationFailed(_text(run), plan.seed, run)
    try:
        body(run)
    except Exception as error:
        error.add_note(_text(run))
        raise


def _text(run: Run) -> str:
    repeat = f'plan="{text_of(run.plan)}" as an argument of @concurrent'
    return failure_text(run, run.plan.seed, repeat)


# ---- the test's own signature --------------------------------------------------------------------
def _parameter(test: Test) -> str:
    """The name of the test's last parameter."""
    if inspect.iscoroutinefunction(test):
        raise TypeError(
            f"{test.__qualname__}: a test of @concurrent is no `async def`; write `def`"
        )
    parameters = list(inspect.signature(test).parameters.values())
    if not parameters or parameters[-1].kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
        raise TypeError(
            f"{test.__qualname__}: the last parameter of a test of @concurrent takes the run; "
            f"write `def {test.__name__}(run: Run) -> None`"
        )
    return parameters[-1].name


def _like(test: Test, given: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Makes a function look like the test without the parameter: pytest sees no fixture in it."""
    signature = inspect.signature(test)
    left = [each for each in signature.parameters.values() if each.name != given]

    def dressed(function: Callable[..., None]) -> Callable[..., None]:
        made: Any = wraps(test)(function)
        made.__signature__ = signature.replace(parameters=left)
        found: Callable[..., None] = made
        return found

    return dressed


# ---- plans ---------------------------------------------------------------------------------------
class Drawn(msgspec.Struct, frozen=True):
    """A plan that hypothesis drew; it prints what it drew, and a plan is long."""

    plan: Plan

    def __repr__(self) -> str:
        return f"<a run of {self.plan.operations} operations>"


def plans(setting: Setting) -> SearchStrategy[Drawn]:
    """Plans of small runs.

    Raises:
        WorkloadUnfit: the workload does not fit the service, or there is nothing to ask.
    """
    from hypothesis import strategies as st

    from .strategies import calls

    asked = calls(
        setting.service,
        clients=setting.clients,
        operations_max=setting.operations,
        entities=setting.entities,
        workload=setting.workload,
        programs=setting.programs,
    )

    @st.composite
    def plan(draw: DrawFn) -> Drawn:
        found = draw(asked)
        hosts = draw(st.integers(1, setting.hosts))
        made = Plan(
            seed=draw(st.integers(0, SEED_MAX)),
            hosts=hosts,
            shards=SHARDS,
            clients=1 + max(call.client for call in found),
            calls=found,
            faults=draw(_faults(setting.rates, hosts)),
            rates=setting.rates if draw(st.booleans()) else Faults.none(),
        )
        return Drawn(made)

    return plan()


def _faults(rates: Faults, hosts: int) -> SearchStrategy[tuple[Fault, ...]]:
    """Planned faults of the kinds that the rates have, in the order of their times."""
    from hypothesis import strategies as st

    kinds: list[Kind] = [kind for kind in get_args(Kind) if getattr(rates, f"{kind}_every_ms")]
    if hosts == 1 and "partition" in kinds:
        kinds.remove("partition")
    if not kinds:
        return st.just(())

    @st.composite
    def fault(draw: DrawFn) -> Fault:
        kind: Kind = draw(st.sampled_from(kinds))
        host = draw(st.integers(0, hosts - 1))
        lasts = kind in ("pause", "twin", "partition", "full")
        return Fault(
            at_us=draw(st.integers(0, FAULT_AT_US_MAX)),
            kind=kind,
            host=host,
            other=(host + draw(st.integers(1, hosts - 1))) % hosts if kind == "partition" else -1,
            length_us=draw(st.sampled_from(LENGTHS_US)) if lasts else 0,
            amount=draw(st.sampled_from(JUMPS_US)) if kind == "clock" else 0,
        )

    found = st.lists(fault(), max_size=FAULTS_MAX)
    return found.map(lambda each: tuple(sorted(each, key=lambda one: one.at_us)))
