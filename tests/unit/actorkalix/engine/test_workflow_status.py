"""What is told of a workflow."""

from __future__ import annotations

from actorkalix.engine.workflow_messages import WorkflowStatus
from actorkalix.engine.workflow_status import status_of
from tests.unit.actorkalix.engine.flows import START_MS, Bench, Ending


def test_all_of_it() -> None:
    bench = Bench(Ending)
    bench.value("register", 3)
    bench.value("wait", 5)
    bench.control("suspend", "audit")
    assert status_of(bench.flow) == WorkflowStatus(
        status="suspended",
        next_ms=START_MS + 60_000,
        deadline_ms=START_MS + 60_000,
        started_ms=START_MS,
        reason="audit",
        suspended_in="waiting",
        promises=("word",),
        undo=1,
        sequence_number=3,
    )
