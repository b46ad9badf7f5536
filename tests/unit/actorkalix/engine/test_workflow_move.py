"""Transitions: what is cut off leaves time to its calls."""

from __future__ import annotations

import pytest

from actorkalix.describe import descriptor_of
from actorkalix.engine.workflow_control import Activity, Control, Did, Flow, Status
from actorkalix.engine.workflow_messages import Finish
from actorkalix.engine.workflow_move import Move
from actorkalix.engine.workflow_rules import Rules
from actorkalix_storage.api import RecordKind
from tests.unit.actorkalix.engine.flows import Bench, Obedient, Passing

RULES = Rules(descriptor_of(Obedient))


@pytest.mark.parametrize(
    "control,quiet_ms",
    [
        (Control(), 0),
        (Control(Status.PAUSED, at_ms=99_000), 0),
        (Control(Status.RUNNING, step="thrice", at_ms=9_000), 12_000),
        (Control(Status.RUNNING, step="thrice", at_ms=11_000), 11_000),
        (Control(Status.RUNNING, step="thrice", at_ms=15_000), 15_000),
        (Control(Status.RETRYING, step="thrice", at_ms=11_000), 11_000),
        (Control(Status.RETRYING, step="thrice", at_ms=90_000), 12_000),
        (Control(Status.RUNNING, activity=Activity.UNDO, at_ms=1), 15_000),
        (Control(Status.SUSPENDED, Status.RUNNING, step="thrice", at_ms=1), 12_000),
    ],
)
def test_quiet(control: Control, quiet_ms: int) -> None:
    assert Move(RULES, Flow("w", None, control=control), 10_000).quiet_ms() == quiet_ms


def test_a_new_activity_has_a_number_and_an_execution_of_its_own() -> None:
    move = Move(RULES, Flow("w", None), 10)
    move.enter("plain", b"")
    move.retry(50, "no", 1)
    assert (move.control.number, move.control.run, move.control.failures) == (1, 2, 1)
    move.enter("thrice", b"x", not_before_ms=20)
    assert (move.control.number, move.control.run, move.control.failures) == (2, 3, 0)
    assert (move.control.at_ms, move.control.failure) == (20, "")


def test_compensation_without_anything_to_undo_is_over_at_once() -> None:
    move = Move(RULES, Flow("w", None), 10)
    move.undo("", Status.FAILED, "no", not_before_ms=30)
    assert (move.control.status, move.control.quiet_ms) == (Status.FAILED, 30)
    move = Move(RULES, Flow("w", None), 10)
    move.undo("plain", Status.FAILED, "no", not_before_ms=30)
    assert (move.control.step, move.control.at_ms) == ("plain", 30)


@pytest.mark.parametrize(
    "control,number",
    [
        (Control(Status.RUNNING, step="thrice", number=4), 4),
        (Control(Status.SUSPENDED, Status.RETRYING, step="thrice", number=4), 4),
        (Control(Status.SUSPENDED, Status.PAUSED, step="thrice", number=4), 5),
        (Control(Status.PAUSED, step="thrice", number=4), 5),
        (Control(Status.ENDED, step="thrice", number=4), 5),
        (Control(Status.FAILED, Status.RUNNING, step="thrice", number=4), 4),
        (Control(Status.TERMINATED, Status.RETRYING, step="thrice", number=4), 4),
        (Control(Status.TERMINATED, step="thrice", number=4), 5),
        (
            Control(Status.FAILED, Status.RUNNING, step="thrice", activity=Activity.UNDO, number=4),
            5,
        ),
        (Control(Status.RUNNING, step="plain", number=4), 5),
    ],
)
def test_a_step_that_was_not_completed_goes_on_when_it_is_restarted(
    control: Control, number: int
) -> None:
    move = Move(RULES, Flow("w", None, control=control), 10_000)
    move.restart("thrice", b"")
    assert (move.control.status, move.control.number) == (Status.RUNNING, number)
    assert (move.control.at_ms == 10_000) or number == 5
    again = Move(RULES, Flow("w", None, control=control), 10_000)
    again.restart("thrice", b"", anew=True)
    assert again.control.number == 5


@pytest.mark.parametrize(
    "control,within",
    [
        (Control(Status.RUNNING, step="thrice"), Status.RUNNING),
        (Control(Status.SUSPENDED, Status.RETRYING, step="thrice"), Status.RETRYING),
        (Control(Status.PAUSED, step="thrice"), Status.NEW),
        (Control(Status.RUNNING, step="thrice", last=True), Status.NEW),
    ],
)
def test_an_end_says_whether_it_has_cut_off_a_step(control: Control, within: Status) -> None:
    move = Move(RULES, Flow("w", None, control=control), 10_000)
    if control.last:
        move.follow(Finish())  # the step after the timeout was completed
    else:
        move.finish(Status.TERMINATED)
    assert move.control.within is within


@pytest.mark.parametrize("how", ["ended", "failed", "terminated"])
def test_what_has_ended_is_deleted_when_its_time_has_come(how: str) -> None:  # WF-45
    bench = Bench(Passing)
    bench.value("go", 1, "deadly")
    if how == "terminated":
        bench.control("terminate")
    elif how == "failed":
        bench.failed(bench.given(), "Broken")
    else:
        bench.done(bench.given(), Finish())
    assert bench.status == how
    due_ms = bench.now_ms + 86_400_000
    assert (bench.look().next_ms, bench.stored[-1].record.expires_ms) == (due_ms, due_ms)
    bench.now_ms = due_ms - 1
    assert bench.expire() is None
    assert bench.status == how
    bench.crash()
    bench.now_ms = due_ms
    assert bench.expire() is None
    assert bench.history[-1].did is Did.EXPIRED
    assert [each.record.kind for each in bench.stored[-2:]] == [
        *(RecordKind.EVENT, RecordKind.DELETED)
    ]
    for _ in range(2):
        assert (bench.status, bench.flow.state, bench.look().next_ms) == ("deleted", None, 0)
        bench.crash()


def test_what_is_restarted_is_not_deleted() -> None:
    bench = Bench(Passing)
    bench.value("go", 1, "plain")
    bench.done(bench.given(), Finish())
    bench.control("restart", "plain")
    bench.advance(100_000)
    assert bench.given().message.method == "plain"
    bench.control("terminate")
    assert bench.look().next_ms == bench.now_ms + 86_400_000, "it has ended only now"


@pytest.mark.parametrize("control", ["suspend", "terminate"])
def test_what_is_suspended_or_terminated_leaves_memory_at_once(control: str) -> None:  # WF-44
    bench = Bench()
    bench.value("go", 1, "plain")
    assert bench.last is not None
    assert not bench.last.forget, "it is about to run"
    bench.control(control)
    assert bench.last.forget
