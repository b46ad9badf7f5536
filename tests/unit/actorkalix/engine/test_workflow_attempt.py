"""Attempts: what is given out, and what comes of it."""

from __future__ import annotations

from actorkalix.describe import descriptor_of
from actorkalix.engine.workflow_attempt import (
    end_of_child,
    firing_of,
    never_began,
    settle,
)
from actorkalix.engine.workflow_control import Child, Control, Flow, Status, token_of
from actorkalix.engine.workflow_messages import ChildNotice, StepFailed, StepOutcome, pack_outcome
from actorkalix.engine.workflow_rules import Rules
from actorkalix.limits import FAILURE_CHARS_MAX
from actorkalix_cluster.shardhost.fired import Outcome
from actorkalix_cluster.shardhost.messages import MessageKind
from tests.unit.actorkalix.engine.flows import Obedient, failure

RULES = Rules(descriptor_of(Obedient))
CONTROL = Control(Status.RUNNING, born_ms=1, run=4, number=2, step="thrice", at_ms=5)
FLOW = Flow("w", None, control=CONTROL)


def read(stored: bytes) -> object:
    return stored


def test_a_step_is_given_out_with_its_key_and_deadline() -> None:
    firing = firing_of(RULES, FLOW, 10)
    message = firing.message
    assert (message.kind, message.method) == (MessageKind.STEP, "thrice")
    assert (message.deadline_ms, firing.token) == (2_010, token_of(CONTROL))
    assert message.correlation_id.endswith("-1")
    other = firing_of(RULES, Flow("w2", None, control=CONTROL), 10)
    assert other.message.key != message.key


def test_long_failures_are_cut() -> None:
    told = StepOutcome(failed=StepFailed(failure("x" * 9_999)))
    moved = settle(RULES, FLOW, Outcome(b"", None, pack_outcome(told)), read, 10)
    assert moved is not None
    assert len(moved[0].control.failure) == FAILURE_CHARS_MAX


def test_what_was_not_begun_is_nothing() -> None:
    full = failure()
    busy = Outcome(b"", type(full)("AK3003", "unavailable", "full"))
    assert settle(RULES, FLOW, busy, read, 10) is None


def test_ends_of_children_are_json() -> None:
    notice = ChildNotice("order", "o1", "failed", "no", b'{"x":1}')
    assert end_of_child(notice) == (
        b'{"component":"order","workflow_id":"o1","status":"failed","reason":"no","state":{"x":1}}'
    )
    assert b'"reason":"AK2001 no"' in never_began(Child("order", "o1"), failure())
