"""`actorkalix simulate`: plays a service as a whole cluster under faults, seed after seed.

What is played is drawn for a service's code, or read: from a scenario's file, or from the plan that
a failed run left behind. Functions marked with `@invariant` in the module of the service are judged
too. The command that is printed for a run that failed is the one that was typed, with its plan.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from actorkalix.cli.exits import Exit
from actorkalix.cli.output import Output
from actorkalix.errors import InvalidCommandLine, ScenarioUnreadable
from actorkalix.runtime.loading import Loaded, load, resolve
from actorkalix.testkit.checking import Verdict
from actorkalix.testkit.invariants import Invariant
from actorkalix.testkit.simulation.faults import Faults
from actorkalix.testkit.simulation.plan import Plan
from actorkalix.testkit.simulation.run import Run, Subject
from actorkalix.testkit.simulation.scenario import Scenario, read_scenario
from actorkalix.testkit.simulation.simulating import (
    REPLAYED_EVERY,
    NotDeterministic,
    SimulationFailed,
    play_again,
    play_one,
    subject_of,
)

REPORTS = Path(".actorkalix", "simulation")
"""Where reports go when no folder is named: a folder for each seed."""
RUNS = 100


class Simulated(msgspec.Struct, frozen=True):
    """What `--json` prints.

    Attributes:
        service: its name.
        seeds: first and last that were played.
        runs, operations, faults: how many there were in all; faults are the planned ones.
        seconds: that it took.
        ok: it is as it should be: nothing was found, or what the scenario expects.
        found: verdicts with findings of the run that failed.
        failed_seed: its seed.
        report: folder with what is known of it.
        repeat: command that plays it again.
        text: what a person is told of it.
    """

    service: str
    seeds: tuple[int, int]
    runs: int
    operations: int
    faults: int
    seconds: float
    ok: bool
    found: tuple[Verdict, ...] = ()
    failed_seed: int | None = None
    report: str = ""
    repeat: str = ""
    text: str = ""


class _Game(msgspec.Struct, frozen=True):
    """What is to be played.

    Attributes:
        loaded: the service.
        subject: the same, with invariants.
        seeds: to play.
        plan: of a seed.
        command: that was typed, without seeds, plan and folder.
        expect: the rule that must be found, or "".
    """

    loaded: Loaded
    subject: Subject
    seeds: range
    plan: Callable[[int], Plan]
    command: str
    expect: str = ""


class _Counts:
    """What was played so far."""

    def __init__(self) -> None:
        self.runs = self.operations = self.faults = 0
        self._began = time.monotonic()

    def add(self, run: Run) -> None:
        self.runs += 1
        self.operations += len(run.history.operations)
        self.faults += len(run.plan.faults)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began


def execute(arguments: argparse.Namespace, output: Output) -> int:
    """Play; `Exit.FINDING` when a run broke a rule, or did not when it is expected to."""
    try:
        game = _game(arguments)
        plans = [game.plan(seed) for seed in game.seeds[:1]]  # what does not fit is said at once
    except (TypeError, ValueError) as problem:
        raise InvalidCommandLine(str(problem)) from problem
    assert plans, "there is a seed"
    simulated = _play(game, arguments, output)
    if output.as_json:
        output.document(simulated)
    else:
        output.show(*_shown(simulated, game.expect))
    return Exit.OK if simulated.ok else Exit.FINDING


def _play(game: _Game, arguments: argparse.Namespace, output: Output) -> Simulated:
    counts = _Counts()
    first = game.seeds[0]
    with output.bars(of_bytes=False) as bars:
        bar = bars.add_task(f"simulating {game.loaded.service.name}", total=len(game.seeds))
        for seed in game.seeds:
            folder = Path(arguments.report) if arguments.report else REPORTS / str(seed)
            try:
                run = play_one(
                    game.subject,
                    game.plan(seed),
                    report=folder,
                    shrinks=not (arguments.no_shrink or arguments.plan),
                    command=game.command,
                )
                if not (seed - first) % REPLAYED_EVERY:
                    play_again(game.subject, run)
            except SimulationFailed as failed:
                counts.add(failed.run)
                return _failed(game, seed, counts, failed, str(folder))
            except NotDeterministic as found:
                return _simulated(game, seed, counts, failed_seed=seed, text=str(found))
            except OSError as error:
                said = error.strerror or str(error)
                raise InvalidCommandLine(f"--report {folder}: cannot be written: {said}") from error
            counts.add(run)
            bars.advance(bar)
    return _simulated(game, game.seeds[-1], counts, ok=not game.expect)


def _failed(
    game: _Game, seed: int, counts: _Counts, failed: SimulationFailed, folder: str
) -> Simulated:
    found = failed.run.found
    text = str(failed)
    return _simulated(
        game,
        seed,
        counts,
        ok=game.expect in [verdict.rule for verdict in found],
        found=found,
        failed_seed=seed,
        report=folder,
        repeat=text.rpartition("repeat it with: ")[2],
        text=text,
    )


def _simulated(
    game: _Game,
    last: int,
    counts: _Counts,
    *,
    ok: bool = False,
    found: tuple[Verdict, ...] = (),
    failed_seed: int | None = None,
    report: str = "",
    repeat: str = "",
    text: str = "",
) -> Simulated:
    return Simulated(
        game.loaded.service.name,
        (game.seeds[0], last),
        counts.runs,
        counts.operations,
        counts.faults,
        round(counts.seconds, 3),
        ok,
        found,
        failed_seed,
        report,
        repeat,
        text,
    )


# ---- what is to be played ------------------------------------------------------------------------
def _game(arguments: argparse.Namespace) -> _Game:
    given = [name for name in ("service", "scenario", "plan") if getattr(arguments, name)]
    if arguments.scenario:
        if arguments.plan:
            raise InvalidCommandLine("--scenario and --plan: a plan says all of it; give one")
        return _of_scenario(arguments, read_scenario(arguments.scenario))
    if "service" not in given:
        raise InvalidCommandLine("name a service, as shop:service, or --scenario FILE")
    loaded = load(resolve(arguments.service, arguments.app_dir))
    if arguments.plan:
        plan = _read_plan(arguments.plan)
        seeds = range(plan.seed, plan.seed + 1)
        return _made(arguments, arguments.service, loaded, seeds, lambda _: plan)
    scenario = Scenario(name="command line", service=arguments.service, runs=RUNS)
    return _of(arguments, loaded, scenario)


def _of_scenario(arguments: argparse.Namespace, scenario: Scenario) -> _Game:
    if arguments.service:
        scenario = msgspec.structs.replace(scenario, service=arguments.service)
    loaded = load(resolve(scenario.service, arguments.app_dir))
    game = _of(arguments, loaded, scenario)
    expect = "" if scenario.expect is None else scenario.expect.rule
    return msgspec.structs.replace(game, expect=expect)


def _of(arguments: argparse.Namespace, loaded: Loaded, scenario: Scenario) -> _Game:
    """A scenario, with what was typed in its place."""
    typed = {
        name: value
        for name in ("hosts", "clients", "operations", "entities", "runs")
        if (value := getattr(arguments, name)) is not None
    }
    scenario = msgspec.structs.replace(scenario, **typed)
    if arguments.faults:
        scenario = msgspec.structs.replace(scenario, faults=Faults.preset(arguments.faults))
    service = loaded.service.descriptor
    seeds = range(arguments.seed, arguments.seed + scenario.runs)
    return _made(
        arguments, scenario.service, loaded, seeds, lambda seed: scenario.plan(service, seed)
    )


def _made(
    arguments: argparse.Namespace,
    spec: str,
    loaded: Loaded,
    seeds: range,
    plan: Callable[[int], Plan],
) -> _Game:
    names: dict[str, Any] = vars(sys.modules[loaded.spec.module])
    invariants: list[Invariant[Any]] = [v for v in names.values() if isinstance(v, Invariant)]
    subject = subject_of(loaded.service, list(dict.fromkeys(invariants)))
    return _Game(loaded, subject, seeds, plan, shlex.join(_command(spec, arguments.app_dir)))


def _command(spec: str, app_dir: str | None) -> Iterator[str]:
    """What was typed, as far as a plan does not say it."""
    yield from ("actorkalix", "simulate", spec)
    if app_dir:
        yield from ("--app-dir", app_dir)


def _read_plan(path: str) -> Plan:
    try:
        plan = msgspec.json.decode(Path(path).read_bytes(), type=Plan)
    except OSError as error:
        raise ScenarioUnreadable(f"{path}: {error.strerror or error}") from error
    except msgspec.MsgspecError as problem:
        raise ScenarioUnreadable(f"{path}: no plan of a run that failed ({problem})") from problem
    programs = dict.fromkeys(call.method for call in plan.calls if call.kind == "program")
    if programs:
        raise InvalidCommandLine(
            f"--plan {path}: clients run {', '.join(programs)} in it, which only the test that "
            "gave these programs can play"
        )
    return plan


# ---- for a person --------------------------------------------------------------------------------
def _shown(simulated: Simulated, expect: str) -> Iterator[str]:
    if simulated.text:
        yield simulated.text
    if simulated.report:
        yield f"plan, history, trace and picture are in {simulated.report}"
    if simulated.text:
        verdict = f"found {expect}, as expected" if simulated.ok else "failed"
    else:
        verdict = "passed" if simulated.ok else f"did not find {expect}, as expected"
    first, last = simulated.seeds
    seeds = f"seed {first}" if first == last else f"seeds {first} to {last}"
    rate = simulated.runs / simulated.seconds if simulated.seconds else 0.0
    yield (
        f"{verdict} {simulated.service}: {seeds}, {simulated.operations:,} operations, "
        f"{simulated.faults:,} planned faults, {rate:,.1f} runs/s"
    )
