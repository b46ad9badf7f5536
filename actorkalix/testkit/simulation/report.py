"""What a failed simulation says: what was found, the shrunk schedule, and how to see it again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from actorkalix.testkit.checking import Verdict, picture

from .run import Run

CALLS_SHOWN_MAX = 40
FINDINGS_SHOWN_MAX = 3
PLAN_FILE = "plan.json"
PICTURE_FILE = "history.html"
TRACE_FILE = "trace.txt"
HISTORY_FILE = "history.jsonl"


def failure_text(run: Run, seed: int, repeat: str) -> str:
    """What a person needs to know of a failed run.

    Args:
        run: that failed, shrunk where it was.
        seed: with which it was found.
        repeat: the command that repeats it.
    """
    return "\n".join(_lines(run, seed, repeat))


def _lines(run: Run, seed: int, repeat: str) -> Iterator[str]:
    for verdict in run.found:
        yield from _verdict(verdict)
    plan = run.plan
    yield (
        f"seed {seed}: {len(plan.calls)} operations of {plan.clients} clients, "
        f"{len(plan.faults)} planned faults, {plan.hosts} hosts:"
    )
    operations = [*run.history.operations][:CALLS_SHOWN_MAX]
    events: list[tuple[int, str]] = [(fault.at_us, str(fault)) for fault in plan.faults]
    several = len({(each.component, each.entity) for each in operations}) > 1
    for each in operations:
        whose = f"{each.component} {each.entity}, " if several else ""
        text = f"at {each.invoked / 1e6:,.1f} ms: {whose}{each}"
        events.append((each.invoked // 1000, text))
    yield from (f"  {text}" for _, text in sorted(events, key=lambda event: event[0]))
    if len(run.history.operations) > CALLS_SHOWN_MAX:
        yield f"  ... and {len(run.history.operations) - CALLS_SHOWN_MAX} operations more"
    yield f"repeat it with: {repeat}"


def _verdict(verdict: Verdict) -> Iterator[str]:
    for finding in verdict.findings[:FINDINGS_SHOWN_MAX]:
        yield f"{verdict.rule}: {finding.text}"
    left = len(verdict.findings) - FINDINGS_SHOWN_MAX
    if left > 0:
        yield f"{verdict.rule}: and {left} more"


def write_report(run: Run, folder: Path) -> None:
    """Write plan, history, trace and picture of a run into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = msgspec.json.format(msgspec.json.encode(run.plan), indent=2)
    (folder / PLAN_FILE).write_bytes(plan + b"\n")
    (folder / HISTORY_FILE).write_bytes(run.history.encode())
    (folder / TRACE_FILE).write_text("\n".join(run.trace) + "\n", "utf-8")
    (folder / PICTURE_FILE).write_text(picture(run.history, run.verdicts), "utf-8")
