"""Steps in the simulator: they run, fail by chance, and are judged."""

from __future__ import annotations

from actorkalix.testkit.simulation.run import Run, run_plan
from actorkalix.testkit.simulation.steps import flowed_of, workflows_of
from actorkalix_storage.api import Position, Record, RecordKind, StoredRecord
from tests.mutants.scenarios import workflows


def played(seed: int) -> Run:
    return run_plan(workflows.subject(), workflows.plan(seed))


def test_workflows_are_played_and_judged() -> None:
    runs = [played(seed) for seed in range(6)]
    outcomes = {each.outcome for run in runs for each in run.evidence.executions}
    assert {"handled", "failed"} <= outcomes
    assert all(each.durable for run in runs for each in run.evidence.executions)
    verdicts = {v.rule: v for run in runs for v in run.verdicts if v.outcome == "passed"}
    assert {"workflows_follow", "steps_follow", "durability", "no_gaps"} <= verdicts.keys()
    assert [run.found for run in runs] == [()] * 6


def test_the_same_plan_is_the_same_run() -> None:
    assert played(3).digest == played(3).digest


def test_what_cannot_be_read_is_none() -> None:
    service = workflows.service.descriptor
    names = {one.component_id for one in workflows_of(service)}
    assert names == {"move", "timed", "hasty", "pair"}
    flowed = played(0).evidence.flows[0]
    assert flowed.entry is not None
    record = Record(RecordKind.EVENT, "move", "e0", 1, 5, b"\xc1")
    found = StoredRecord(0, Position(7, 1, 1), (0, 0), 1, 1, record)
    assert flowed_of(found, flowed.stored).entry is None
