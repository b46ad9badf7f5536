"""Rules of workflows: each is able to fail."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actorkalix.engine.workflow_control import Control, Did, Entry, Kept, Status
from actorkalix.testkit.checking import Evidence, Execution, Finding, Flowed, Stored
from actorkalix.testkit.checking.flowing import records_follow, steps_follow_records
from actorkalix_cluster.shardhost.messages import Message, MessageKind
from actorkalix_cluster.shardhost.outgoing import pack_messages
from actorkalix_storage.api import RecordKind

NEW = Control(born_ms=1)
RUNS = Control(Status.RUNNING, born_ms=1, run=1, number=1, step="pay", at_ms=10)
PAUSED = Control(Status.PAUSED, born_ms=1, run=1, number=1, step="pay", at_ms=50)


def after(control: Control, **changes: Any) -> Control:
    return msgspec.structs.replace(control, **changes)


def flows(*entries: Entry, times: tuple[int, ...] = ()) -> tuple[Flowed, ...]:
    return tuple(
        Flowed(
            Stored(
                component="flow",
                entity="f",
                kind=RecordKind.EVENT,
                shard=0,
                lineage=7,
                epoch=1,
                offset=number,
                version=number,
                number=number,
            ),
            entry,
            times[number - 1] if times else number * 10,
        )
        for number, entry in enumerate(entries, 1)
    )


def said(*entries: Entry, times: tuple[int, ...] = ()) -> list[str]:
    findings: list[Finding] = []
    looked_at = records_follow(
        Evidence(operations=(), flows=flows(*entries, times=times)), findings
    )
    assert looked_at == len(entries)
    return [finding.text.partition(": ")[2] for finding in findings]


def go() -> Entry:
    return Entry(Did.COMMAND, RUNS)


def failed(attempt: int, run: int) -> Entry:
    control = after(RUNS, status=Status.RETRYING, run=run + 1, failures=attempt)
    return Entry(Did.ATTEMPT_FAILED, control, step="pay", attempt=attempt, run=run)


def undo(*keys: str) -> Kept:
    calls = (pack_messages([Message(MessageKind.COMMAND, "a", "b", "c", key=key)]) for key in keys)
    return Kept(undo=tuple(calls))


def test_what_is_right_is_not_found() -> None:
    done = Entry(Did.COMPLETED, PAUSED, step="pay", attempt=3, run=3)
    over = Entry(Did.PAUSE_OVER, after(RUNS, number=2, run=4))
    end = Entry(Did.TERMINATED, Control(Status.TERMINATED))
    gone = Entry(Did.COMMAND, Control(Status.DELETED))
    assert said(go(), failed(1, 1), failed(2, 2), done, over, end, gone) == []


@pytest.mark.parametrize(
    "entries,wrong",
    [
        ((go(), go()), "COMMAND while it is RUNNING"),
        ((go(), failed(1, 1), failed(1, 2)), "attempt 1 of activity 1, 1 have failed"),
        ((go(), failed(1, 1), failed(2, 1)), "ATTEMPT_FAILED by execution 1, the newest is 2"),
        ((Entry(Did.COMMAND, PAUSED), Entry(Did.PAUSE_OVER, RUNS)), "PAUSE_OVER though its time"),
        ((go(), Entry(Did.PAUSE_OVER, RUNS)), "PAUSE_OVER while it is RUNNING"),
        ((go(), Entry(Did.TIMED_OUT, RUNS)), "TIMED_OUT though its time has not come"),
        ((Entry(Did.COMMAND, NEW), Entry(Did.RESUMED, NEW)), "RESUMED while it is NEW"),
    ],
)
def test_what_may_not_follow(entries: tuple[Entry, ...], wrong: str) -> None:
    assert any(wrong in each for each in said(*entries)), said(*entries)


def test_nothing_comes_before_its_time() -> None:
    late = Entry(Did.COMMAND, after(RUNS, at_ms=90))
    done = Entry(Did.COMPLETED, PAUSED, step="pay", attempt=1, run=1)
    assert said(late, done) == ["COMPLETED 70 ms before its time"]


def test_undo_calls_are_done_once_and_in_order() -> None:
    begun = Entry(Did.COMMAND, RUNS, kept=undo("1", "2"))

    def undone(run: int, *left: str) -> Entry:
        return Entry(Did.UNDONE, after(RUNS, run=run + 1), kept=undo(*left), attempt=1, run=run)

    assert said(begun, undone(1, "1"), undone(2)) == []
    assert said(begun, undone(1, "2")) == ["UNDONE leaves 1 undo calls of 2"]
    twice = Entry(Did.COMMAND, RUNS, kept=undo("1", "1"))
    assert said(twice, undone(1, "1"), undone(2)) == ["an undo call is done twice"]


def test_a_record_that_cannot_be_read_ends_the_look() -> None:
    (one,) = flows(go())
    findings: list[Finding] = []
    broken = one._replace(entry=None)
    records_follow(Evidence(operations=(), flows=(broken, broken)), findings)
    assert len(findings) == 1


def test_steps_begin_when_it_is_stored_and_have_run() -> None:
    done = Entry(Did.COMPLETED, PAUSED, step="pay", attempt=1, run=1)
    ran = Execution(
        component="flow",
        entity="f",
        step="pay",
        number=1,
        attempt=1,
        writer="host",
        durable=True,
        began=1,
        outcome="handled",
    )

    def found(*executions: Execution) -> list[str]:
        findings: list[Finding] = []
        evidence = Evidence(operations=(), flows=flows(go(), done), executions=executions)
        steps_follow_records(evidence, findings)
        return [finding.text for finding in findings]

    assert found(ran) == []
    early = msgspec.structs.replace(ran, durable=False)
    assert "began before what leads to it was stored" in found(early)[0]
    other = msgspec.structs.replace(ran, attempt=2)
    assert "and none such has handled" in found(other)[0]
    open_still = msgspec.structs.replace(ran, outcome="open")
    assert len(found(open_still)) == 1
