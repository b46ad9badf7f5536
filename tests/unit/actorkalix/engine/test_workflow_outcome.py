"""From what a workflow decides to bytes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from actorkalix.describe import descriptor_of
from actorkalix.engine.workflow_messages import (
    Finish,
    GoTo,
    PauseFor,
    StartAll,
    StepOutcome,
    UndoAll,
    WaitOn,
)
from actorkalix.engine.workflow_outcome import SIDE_EFFECTS_FROM, input_of, outcome_of
from actorkalix.errors import InvalidEffect, NotEncodable, ResultTooLarge
from actorkalix.limits import Limits
from actorkalix.model.client import Calls
from actorkalix.model.effects import Decision
from actorkalix.model.transitions import (
    Compensate,
    End,
    Pause,
    StartChildren,
    ToStep,
    WaitFor,
)
from actorkalix_cluster.shardhost.messages import Message, MessageKind
from actorkalix_cluster.shardhost.outgoing import unpack_messages
from tests.unit.actorkalix.engine.flows import Obedient, Told

DESCRIPTOR = descriptor_of(Obedient)
CAUSE = Message(MessageKind.STEP, "obedient", "w", "plain", key="~root", correlation_id="c")
SECOND = timedelta(microseconds=1_000_001)


def made(limits: Limits | None = None, **decided: Any) -> StepOutcome:
    return outcome_of(DESCRIPTOR, Decision(**decided), CAUSE, limits or Limits(), opened=("word",))


def call(count: int) -> Any:
    call = Calls().workflow(Obedient, "other").put(count)
    call.spend("used")
    return call


@pytest.mark.parametrize(
    "transition,following",
    [
        (ToStep("plain"), GoTo("plain")),
        (ToStep("deadly", (3,)), GoTo("deadly", msgspec.msgpack.encode({"amount": 3}))),
        (Pause("why", SECOND, "plain"), PauseFor("why", 1_001, "plain")),
        (Pause("why", SECOND, None, "wake"), PauseFor("why", 1_001, "", "wake")),
        (WaitFor("word", "heard", SECOND, "plain"), WaitOn("word", "heard", 1_001, "plain")),
        (Compensate("plain", "why"), UndoAll("plain", "why")),
        (End("why", True), Finish("why", True)),
        (None, None),
    ],
)
def test_transitions(transition: Any, following: Any) -> None:
    outcome = made(transition=transition)
    assert outcome == StepOutcome(following, promises=("word",))


def test_calls_have_no_keys_yet_but_side_effects_have() -> None:
    outcome = made(
        transition=StartChildren((call(1), call(2)), "plain"),
        undo=(call(3),),
        side_effects=(call(4), call(4)),
    )
    assert isinstance(outcome.next, StartAll)
    starts = [unpack_messages(packed)[0] for packed in outcome.next.calls]
    assert [msgspec.msgpack.decode(each.payload)["count"] for each in starts] == [1, 2]
    (undo,) = unpack_messages(outcome.undo[0])
    assert (undo.key, undo.correlation_id, undo.entity) == ("", "c", "other")
    effects = unpack_messages(outcome.side_effects)
    assert len({each.key for each in effects}) == 2
    assert all(each.key.startswith("~") for each in effects)
    assert SIDE_EFFECTS_FROM > 1_000


@pytest.mark.parametrize(
    "transition,said",
    [
        (ToStep("lost"), "has no step 'lost'; they are deadly, heard"),
        (ToStep("deadly"), "misses amount"),
        (ToStep("deadly", ("three",)), "amount"),
        (WaitFor("word", "lost"), "no step 'lost'"),
        (Pause("", SECOND, None, "get"), "no command 'get'"),
        (Compensate("deadly"), "misses amount"),
    ],
)
def test_what_does_not_fit_is_the_handlers_fault(transition: Any, said: str) -> None:
    with pytest.raises(InvalidEffect, match=said):
        made(transition=transition)


def test_sizes() -> None:
    small = Limits(state_bytes_max=30, payload_bytes_max=20)
    assert made(small, has_state=True, state=Told()).state is not None
    with pytest.raises(ResultTooLarge, match="state of"):
        made(small, has_state=True, state=Told(1, "x" * 30))
    with pytest.raises(ResultTooLarge, match="a call of"):
        made(small, undo=(call(1),))
    with pytest.raises(NotEncodable):
        made(has_state=True, state="no state")
    with pytest.raises(InvalidEffect):
        input_of(DESCRIPTOR, "heard", (5,))
