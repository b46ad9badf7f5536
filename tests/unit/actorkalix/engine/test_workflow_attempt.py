"""Attempts: what is given out, and what comes of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from actorkalix import Effect, Workflow, command
from actorkalix.describe import descriptor_of
from actorkalix.engine.workflow_attempt import (
    end_of_child,
    firing_of,
    never_began,
    settle,
)
from actorkalix.engine.workflow_control import Child, Control, Did, Flow, Status, token_of
from actorkalix.engine.workflow_messages import (
    ChildNotice,
    StartAll,
    StepFailed,
    StepOutcome,
    pack_outcome,
)
from actorkalix.engine.workflow_rules import Rules
from actorkalix.limits import FAILURE_CHARS_MAX
from actorkalix_cluster.shardhost.fired import Outcome
from actorkalix_cluster.shardhost.messages import Encoding, Failure, Message, MessageKind
from actorkalix_cluster.shardhost.outgoing import pack_messages
from tests.unit.actorkalix.engine.flows import Bench, Obedient, failure

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


@pytest.mark.parametrize("number,status", [("AK2023", "running"), ("AK2010", "retrying")])
def test_a_start_that_can_never_do_better_is_the_end_of_the_child(number: str, status: str) -> None:
    bench = Bench()
    bench.value("go", 1, "plain")
    call = Message(MessageKind.COMMAND, "obedient", "a", "finish", b"", Encoding.MSGPACK)
    bench.done(bench.given(), StartAll((pack_messages([call]),), "plain"))
    bench.fired(bench.given(), Failure(number, "internal", "no"))
    assert bench.status == status
    if status == "running":
        assert bench.look().step == "plain", "the parent goes on"


class Grumpy(Workflow[int], id="grumpy"):
    """The command at the end of its pause is not at its best."""

    @command
    def rest(self) -> Effect[None]:
        later = timedelta(seconds=10)
        return self.effects.pause("rest", timeout=later, then=self.wake).then_reply(None)

    @command
    def say(self, state: int) -> Effect[None]:
        return self.effects.update_state(state).then_reply(None)

    @command
    def wake(self) -> Effect[None]:
        if self.state is None:
            raise ValueError("not yet")
        if self.state < 0:
            return self.effects.error("never")
        return self.effects.end("awake").then_reply(None)


def test_a_command_that_fails_at_the_end_of_a_pause_waits_for_its_next_attempt() -> None:  # WF-41
    bench = Bench(Grumpy)
    bench.value("rest")
    bench.advance(10)
    waits: list[int] = []
    for attempt in range(1, 6):
        assert bench.expire() is None
        assert bench.last is not None
        assert isinstance(bench.last.fault, ValueError), "the host logs it"
        entry, status = bench.history[-1], bench.look()
        assert (entry.did, entry.what, entry.attempt) == (Did.WAKE_FAILED, "wake", attempt)
        assert (status.status, status.attempt) == ("paused", attempt)
        assert "Grumpy.wake raised ValueError: not yet" in status.failure
        bench.crash()
        count = len(bench.history)
        bench.expire()
        assert len(bench.history) == count, "not before its time"
        waits.append(status.next_ms - bench.now_ms)
        bench.now_ms = status.next_ms
    assert 2_400 <= waits[0] <= 3_000
    assert waits == sorted(waits)
    assert waits[-1] <= 30_000
    bench.value("say", 1)
    bench.expire()
    assert (bench.status, bench.look().failure) == ("ended", "")


def test_a_command_that_refuses_at_the_end_of_a_pause_is_not_run_again() -> None:  # WF-41
    bench = Bench(Grumpy)
    bench.value("rest")
    bench.value("say", -1)
    bench.advance(10)
    bench.expire()
    status = bench.look()
    assert (status.status, status.failure, status.next_ms) == ("paused", "AK2001 never", 0)
    assert bench.history[-1].did is Did.PAUSE_OVER


def test_ends_of_children_are_json() -> None:
    notice = ChildNotice("order", "o1", "failed", "no", b'{"x":1}')
    assert end_of_child(notice) == (
        b'{"component":"order","workflow_id":"o1","status":"failed","reason":"no","state":{"x":1}}'
    )
    assert b'"reason":"AK2001 no"' in never_began(Child("order", "o1"), failure())
