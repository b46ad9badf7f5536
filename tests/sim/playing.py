"""Plays seeds of a scenario, in a process of its own."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from actorkalix.model.service import Service
from actorkalix.runtime.loading import load_service
from actorkalix.testkit.simulation.run import Run, Subject
from actorkalix.testkit.simulation.scenario import read_scenario
from actorkalix.testkit.simulation.simulating import (
    NotDeterministic,
    SimulationFailed,
    play_again,
    play_one,
)

ROOT = Path(__file__).parents[2]
REPLAYED_EVERY = 10


class Outcome(msgspec.Struct, frozen=True):
    """What came of some seeds.

    Attributes:
        operations: that were asked.
        acknowledged: that were answered with a value.
        failures: texts of runs that failed.
    """

    operations: int
    acknowledged: int
    failures: list[str]


def service_of(text: str) -> Service:
    """The service that a scenario or a regression names."""
    path, _, name = text.partition(":")
    return load_service(f"{ROOT / path}:{name}")


def play_seeds(path: Path, seeds: list[int], reports: Path) -> Outcome:
    """Play seeds of a scenario; what fails is shrunk, and written into a folder of its own."""
    logging.disable(logging.CRITICAL)
    scenario = read_scenario(path)
    service = service_of(scenario.service)
    subject = Subject(service.descriptor, service.limits)
    played: list[Run] = []
    failures: list[str] = []
    for seed in seeds:
        plan = scenario.plan(service.descriptor, seed)
        try:
            run = play_one(subject, plan, report=reports / str(seed))
            if seed % REPLAYED_EVERY == 0:
                play_again(subject, run)
        except (SimulationFailed, NotDeterministic) as failed:
            failures.append(f"{path.name}, seed {seed}: {failed}")
        else:
            played.append(msgspec.structs.replace(run, told=()))
    operations = [each for run in played for each in run.history.operations]
    acknowledged = sum(each.outcome == "ok" for each in operations)
    return Outcome(len(operations), acknowledged, failures)
