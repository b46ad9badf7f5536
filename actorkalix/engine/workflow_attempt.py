"""Attempts: what a workflow gives out to be run, and what it makes of what comes back. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from actorkalix.errors import (
    ChildNotBegun,
    CommandError,
    EntityDeleted,
    HandlerFailed,
    IdempotencyKeyReused,
    InvalidEntityId,
    PayloadTooLarge,
    ResultTooLarge,
    StoredDataUnreadable,
    TransitionRefused,
    UnknownStep,
)
from actorkalix.failures import failure_of
from actorkalix.limits import FAILURE_CHARS_MAX
from actorkalix.model.transitions import ChildEnd
from actorkalix_cluster.shardhost.behavior import BehaviorError
from actorkalix_cluster.shardhost.fired import Firing, Outcome
from actorkalix_cluster.shardhost.messages import Encoding, Failure, Message, MessageKind
from actorkalix_cluster.shardhost.outgoing import DERIVED, unpack_messages
from actorkalix_storage.api import Record

from .replies import digest, raised
from .workflow_control import Activity, Child, Did, Flow, Status, run_of, token_of
from .workflow_draft import promise_of
from .workflow_messages import (
    ChildNotice,
    StepFailed,
    StepInput,
    StepOutcome,
    pack_input,
    unpack_outcome,
)
from .workflow_move import Move
from .workflow_rules import CALL_TIMEOUT_MS, Rules, backoff_ms, is_final

NOT_BEGUN = "AK30"
"""Numbers of failures that say that nothing of an attempt was begun."""

_NEVER_BEGINS = frozenset(
    each.number
    for each in (
        *(ChildNotBegun, CommandError, EntityDeleted, IdempotencyKeyReused, InvalidEntityId),
        *(PayloadTooLarge, TransitionRefused),
    )
)
"""Of failures of a child's start after which no attempt can do better. Others may be mended: who is
away comes back, and code that raises, or does not take the input, is replaced by a deploy."""

Moved = tuple[Flow, tuple[Record, ...]]


# ---- given out -----------------------------------------------------------------------------------
def firing_of(rules: Rules, flow: Flow, now_ms: int) -> Firing:
    """The activity of a workflow as a message, with the deadline of this attempt."""
    control = flow.control
    if control.activity is Activity.STEP:
        message = _step(rules, flow, now_ms)
    else:
        calls = [each.start for each in flow.kept.children if each.start]
        packed = flow.kept.undo[-1] if control.activity is Activity.UNDO else calls[0]
        deadline_ms, named = now_ms + CALL_TIMEOUT_MS, _named(rules, flow)
        message = msgspec.structs.replace(
            unpack_messages(packed)[0],
            correlation_id=f"{control.activity.name.lower()}-{named[:16]}-{control.failures + 1}",
            deadline_ms=deadline_ms,
        )
    return Firing(message, token_of(control), control.deadline_ms)


def _step(rules: Rules, flow: Flow, now_ms: int) -> Message:
    control = flow.control
    named, attempt = _named(rules, flow), control.failures + 1
    timeout_ms = rules.timeout_of(control.step)
    given = StepInput(
        *(control.arguments, flow.stored, control.number, attempt, flow.number, timeout_ms)
    )
    return Message(
        *(MessageKind.STEP, rules.component, flow.entity, control.step, pack_input(given)),
        *(Encoding.MSGPACK, Encoding.MSGPACK, DERIVED + named),
        correlation_id=f"step-{named[:16]}-{attempt}",
        deadline_ms=now_ms + timeout_ms,
    )


def _named(rules: Rules, flow: Flow) -> str:
    """Stands for the activity, whatever the attempt."""
    control = flow.control
    parts = (rules.component, flow.entity, control.born_ms, control.number)
    return digest(*(str(part).encode() for part in parts)).hex()


# ---- come back -----------------------------------------------------------------------------------
def settle(rules: Rules, flow: Flow, fired: Outcome, read: Any, now_ms: int) -> Moved | None:
    """What follows from the result of the newest execution; None when it was not begun.

    Args:
        rules: of the workflow.
        flow: as it is.
        fired: the result.
        read: makes a state of what is stored.
        now_ms: time of the records.
    """
    move = Move(rules, flow, now_ms)
    if flow.control.activity is not Activity.STEP:
        return _call_settled(move, fired)
    failure = fired.failure
    if failure is not None and failure.number.startswith(NOT_BEGUN):
        return None
    outcome = _outcome(fired)
    if outcome.failed is None and outcome.state is not None:
        try:
            move.put_state(read(outcome.state), outcome.state)
        except StoredDataUnreadable as problem:
            outcome = StepOutcome(failed=StepFailed(failure_of(problem)))
    if outcome.failed is not None:
        return attempt_failed(Move(rules, flow, now_ms), outcome, fired)
    attempt = flow.control.failures + 1
    move.register(outcome.undo, flow.control.number)
    move.open(outcome.promises)
    move.tell(outcome.notes)
    move.send(outcome.side_effects)
    move.follow(outcome.next)
    if excess := move.excess():
        failed = StepFailed(failure_of(ResultTooLarge(excess)), ("ResultTooLarge",))
        return attempt_failed(Move(rules, flow, now_ms), StepOutcome(failed=failed), fired)
    told = {"step": flow.control.step, "attempt": attempt, "run": run_of(fired.token)}
    return move.done(Did.COMPLETED, began_ms=fired.began_ms, ended_ms=now_ms, **told)


def unknown_step(rules: Rules, flow: Flow, now_ms: int) -> Moved:
    """The code has lost the step: an attempt that fails (WF-03)."""
    error = UnknownStep(f"{rules.component} has no step {flow.control.step!r} any more")
    outcome = StepOutcome(failed=StepFailed(failure_of(error)))
    fired = Outcome(token_of(flow.control), began_ms=now_ms)
    return attempt_failed(Move(rules, flow, now_ms), outcome, fired)


def attempt_failed(move: Move, outcome: StepOutcome, fired: Outcome) -> Moved:
    """Another attempt, or what the step's recovery says."""
    failed = outcome.failed
    assert failed is not None, "it failed"
    rules, flow, now_ms = move.rules, move.flow, move.now_ms
    control, recovery = flow.control, move.rules.recovery_of(flow.control.step)
    move.register(outcome.undo, flow.control.number)
    failures, text = control.failures + 1, reason_of(failed.failure)
    quiet_ms = outcome.calls_until_ms
    if flow.doubtful:
        quiet_ms = max(quiet_ms, now_ms + rules.reach_of(control.step))
    whose = (rules.component, flow.entity, control.born_ms, control.number)
    next_ms = max(now_ms + backoff_ms(recovery, failures, *whose), quiet_ms)
    elapsed_max = recovery.max_elapsed_ms
    over = (
        is_final(recovery, failed)
        or 0 <= recovery.retries < failures
        or 0 < elapsed_max < next_ms - control.entered_ms
    )
    if over:
        move.give_up(text, failures)
        _go_another_way(move, text, quiet_ms)
    else:
        move.retry(next_ms, text, failures)
    return move.done(
        Did.GAVE_UP if over else Did.ATTEMPT_FAILED,
        step=control.step,
        attempt=failures,
        began_ms=fired.began_ms,
        ended_ms=now_ms,
        failure=text,
        run=run_of(fired.token),
    )


def _go_another_way(move: Move, text: str, quiet_ms: int) -> None:
    recovery = move.rules.recovery_of(move.control.step)
    if move.control.last:
        move.finish(Status.TIMED_OUT, text, quiet_ms=quiet_ms)
    elif recovery.undoes:
        move.undo(recovery.step, Status.FAILED, text, not_before_ms=quiet_ms)
    elif recovery.step:
        arguments = move.rules.failover_input(recovery)
        move.enter(recovery.step, arguments, not_before_ms=quiet_ms)
    else:
        move.finish(Status.FAILED, text, quiet_ms=quiet_ms)


def wake_failed(rules: Rules, flow: Flow, cls: type[Any], problem: Exception, now_ms: int) -> Moved:
    """The command that was to end a pause has failed: it is run again later (WF-41).

    Args:
        rules: of the workflow.
        flow: as it is, paused; the time of its pause is over.
        cls: its class.
        problem: what the command has raised.
        now_ms: time of the record.
    """
    if isinstance(problem, BehaviorError) and problem.reply.failure is not None:
        failure = problem.reply.failure
    else:
        said = raised(f"{cls.__name__}.{flow.control.late}", problem)
        failure = failure_of(HandlerFailed(said))
    failures, text = flow.control.failures + 1, reason_of(failure)
    wait_ms = backoff_ms(rules.recovery_of(""), failures, rules.component, flow.entity)
    move = Move(rules, flow, now_ms)
    move.wake_again(now_ms + wait_ms, text, failures)
    told: dict[str, Any] = {"attempt": failures, "began_ms": now_ms, "ended_ms": now_ms}
    return move.done(Did.WAKE_FAILED, what=flow.control.late, failure=text, **told)


def _call_settled(move: Move, fired: Outcome) -> Moved:
    """An undo call, or one that starts a child, was answered."""
    control, kept, failure = move.flow.control, move.flow.kept, fired.failure
    told: dict[str, Any] = {"attempt": control.failures + 1, "began_ms": fired.began_ms}
    told |= {"ended_ms": move.now_ms, "run": run_of(fired.token)}
    starts = control.activity is Activity.CHILD
    if failure is not None and not (starts and failure.number in _NEVER_BEGINS):
        wait_ms = backoff_ms(move.rules.recovery_of(""), control.failures + 1, move.flow.entity)
        text = reason_of(failure)
        move.retry(move.now_ms + wait_ms, text, control.failures + 1)
        return move.done(Did.ATTEMPT_FAILED, failure=text, **told)
    if not starts:
        undo = unpack_messages(kept.undo[-1])[0]
        move.drop_undo()
        move.undone()
        what = f"{undo.component}/{undo.entity}.{undo.method}"
        return move.done(Did.UNDONE, what=what, **told)
    child = next(each for each in kept.children if each.start)
    if failure is not None and not child.ended:
        move.end_child(child, never_began(child, failure))
    move.start_next()
    text = "" if failure is None else reason_of(failure)
    what = promise_of(child).partition(":")[2]
    return move.done(Did.CHILD_STARTED, what=what, failure=text, **told)


def end_of_child(notice: ChildNotice) -> bytes:
    """The value of the promise that a child keeps by ending, in JSON."""
    state = msgspec.Raw(notice.state) if notice.state else None
    return msgspec.json.encode(
        {
            "component": notice.component,
            "workflow_id": notice.entity,
            "status": notice.status,
            "reason": notice.reason,
            "state": state,
        }
    )


def never_began(child: Child, failure: Failure) -> bytes:
    """The same of a child that has refused to start."""
    return msgspec.json.encode(
        ChildEnd(child.component, child.entity, "failed", reason_of(failure))
    )


def _outcome(fired: Outcome) -> StepOutcome:
    if fired.failure is not None:
        return StepOutcome(failed=StepFailed(fired.failure))
    try:
        outcome = unpack_outcome(fired.payload)
    except msgspec.MsgspecError as problem:
        return StepOutcome(failed=StepFailed(_garbage(str(problem))))
    if outcome.next is None and outcome.failed is None:
        return StepOutcome(failed=StepFailed(_garbage("a step says what comes next")))
    return outcome


def _garbage(text: str) -> Failure:
    return Failure("AK9001", "internal", f"no outcome of a step: {text}", "unknown")


def reason_of(failure: Failure) -> str:
    """A failure as it is written and shown: number and text, cut to its bound."""
    return f"{failure.number} {failure.message}"[:FAILURE_CHARS_MAX]
