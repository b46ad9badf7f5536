"""What a class says about its steps."""

from __future__ import annotations

from datetime import timedelta

import pytest

from actorkalix import Effect, StepEffect, Workflow, command, step
from actorkalix.describe import descriptor_of
from actorkalix.describe.descriptors import RecoveryDescriptor
from actorkalix.engine.workflow_messages import StepFailed
from actorkalix.engine.workflow_rules import CALL_TIMEOUT_MS, Rules, backoff_ms, is_final
from actorkalix.errors import InvalidPayload
from tests.unit.actorkalix.engine.flows import Bench, Broken, Closing, Ending, Obedient, failure

RULES = Rules(descriptor_of(Obedient))


def test_timeouts_and_recoveries() -> None:
    assert (RULES.timeout_ms, RULES.late_step) == (0, "")
    assert Rules(descriptor_of(Ending)).timeout_ms == 60_000
    assert Rules(descriptor_of(Closing)).late_step == "plain"
    assert RULES.timeout_of("thrice") == 2_000
    assert RULES.timeout_of("lost") == CALL_TIMEOUT_MS == 5_000
    assert RULES.recovery_of("thrice").step == "plain"
    assert RULES.recovery_of("lost").retries == -1
    assert RULES.failover_input(RULES.recovery_of("thrice")) == b""


class Heavy(Workflow[int], id="heavy"):
    @command
    def start(self) -> Effect[None]:
        return self.effects.transition_to(self.lift).then_reply(None)

    @step(timeout=timedelta(seconds=7))
    def lift(self) -> StepEffect:
        return self.effects.end()


def test_calls_of_a_plain_function_reach_as_far_as_it_may_wait_and_run() -> None:
    assert RULES.reach_of("thrice") == 2_000
    assert RULES.reach_of("lost") == CALL_TIMEOUT_MS
    assert Rules(descriptor_of(Heavy)).reach_of("lift") == 14_000


def test_inputs_from_what_others_have_said() -> None:
    assert RULES.input_from("plain", [b'"x"'], single=True) == b"", "it takes nothing"
    one = RULES.input_from("heard", [b'"x"'], single=True)
    RULES.check_input("heard", one)
    with pytest.raises(InvalidPayload):
        RULES.input_from("heard", [b'"x"'], single=False)
    with pytest.raises(InvalidPayload):
        RULES.input_from("heard", [b""], single=True)
    assert RULES.state_json(None) == b""
    assert RULES.state_json(Bench().state_of(3)) == b'{"count":3,"said":""}'


def test_waits_grow_within_their_bounds_and_are_the_same_everywhere() -> None:
    recovery = RecoveryDescriptor(initial_ms=100, factor=3, cap_ms=2_000, jitter=0.0)
    assert [backoff_ms(recovery, n) for n in (1, 2, 3, 4, 2_000)] == [100, 300, 900, 2_000, 2_000]
    spread = RecoveryDescriptor(initial_ms=10_000, cap_ms=10_000, jitter=0.5)
    waits = [backoff_ms(spread, 1, "w", n) for n in range(200)]
    assert waits == [backoff_ms(spread, 1, "w", n) for n in range(200)]
    assert min(waits) >= 5_000
    assert max(waits) <= 10_000
    assert max(waits) - min(waits) > 4_000


def test_final_errors_are_found_by_the_names_of_their_classes() -> None:
    recovery = RecoveryDescriptor(final=(Broken,))
    assert is_final(recovery, StepFailed(failure(), ("Child", "Broken", "Exception")))
    assert not is_final(recovery, StepFailed(failure(), ("ValueError", "Exception")))
