"""What a failed run says, and what is written of it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from actorkalix.testkit.checking import Finding
from actorkalix.testkit.checking.verdicts import Verdict
from actorkalix.testkit.history import read_history
from actorkalix.testkit.simulation.faults import Fault
from actorkalix.testkit.simulation.plan import Plan
from actorkalix.testkit.simulation.report import failure_text, write_report
from actorkalix.testkit.simulation.run import Run, run_plan

from .worlds import SUBJECT, add, plan_of

KILL = Fault(at_us=25_000, kind="kill", host=0)


def failed(*texts: str, operations: int = 2) -> Run:
    """A run in which a rule has found this."""
    calls = (add(1, number=n, wait_us=100_000) for n in range(operations))
    run = run_plan(SUBJECT, plan_of(*calls, faults=(KILL,)))
    findings = tuple(Finding(text, "account", "e0", (1,)) for text in texts)
    verdict = Verdict("my_rule", "found", operations, findings)
    return msgspec.structs.replace(run, verdicts=(*run.verdicts, verdict))


def test_what_was_found_comes_first_and_how_to_repeat_it_last() -> None:
    lines = failure_text(failed("one", "two"), 17, "the command").splitlines()
    assert lines[:2] == ["my_rule: one", "my_rule: two"]
    assert lines[2].startswith("seed 17: 2 operations of 1 clients, 1 planned faults")
    assert lines[-1] == "repeat it with: the command"


def test_operations_and_faults_stand_in_the_order_of_their_times() -> None:
    lines = failure_text(failed("one"), 17, "it").splitlines()[2:-1]
    assert [line.split("ms: ")[1].split(" ")[0] for line in lines[:4]] == [
        "kill",
        "operation",
        "operation",
        "operation",
    ]
    assert lines[0] == f"  {KILL}"
    assert '(c0: add {"by":1} -> {"amount":1,"last":1})' in lines[1]


def test_much_is_cut() -> None:
    lines = failure_text(failed(*"abcde", operations=60), 17, "it").splitlines()
    assert "my_rule: and 2 more" in lines
    assert lines[-2] == "  ... and 21 operations more"
    assert len(lines) < 60


def test_a_report_has_all_that_is_known(tmp_path: Path) -> None:
    run, folder = failed("one <b>"), tmp_path / "reports" / "17"
    write_report(run, folder)
    assert {file.name for file in folder.iterdir()} == {
        "plan.json",
        "history.jsonl",
        "trace.txt",
        "history.html",
    }
    plan = msgspec.json.decode((folder / "plan.json").read_bytes(), type=Plan)
    assert plan == run.plan
    assert run_plan(SUBJECT, plan).digest == run.digest
    assert read_history(folder / "history.jsonl") == run.history
    assert (folder / "trace.txt").read_text("utf-8").splitlines() == run.trace
    assert "one &lt;b&gt;" in (folder / "history.html").read_text("utf-8")
