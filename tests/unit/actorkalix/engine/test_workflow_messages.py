"""What goes to the runner of steps, and comes back."""

from __future__ import annotations

import msgspec
import pytest

from actorkalix.engine.workflow_messages import (
    GoTo,
    PauseFor,
    StartAll,
    StepFailed,
    StepInput,
    StepOutcome,
    UndoAll,
    WaitOn,
    WireNext,
    pack_input,
    pack_outcome,
    unpack_input,
    unpack_outcome,
)
from tests.unit.actorkalix.engine.flows import failure


@pytest.mark.parametrize(
    "following",
    [GoTo("a", b"x"), PauseFor("why", 1), WaitOn("p", "a"), StartAll((b"x",), "a"), UndoAll()],
)
def test_outcomes_come_back(following: WireNext) -> None:
    outcome = StepOutcome(following, b"s", (b"u",), b"e", ("p",), None, 5)
    assert unpack_outcome(pack_outcome(outcome)) == outcome


def test_failures_and_inputs_come_back() -> None:
    failed = StepOutcome(failed=StepFailed(failure(), ("ValueError",)))
    assert unpack_outcome(pack_outcome(failed)) == failed
    given = StepInput(b"a", None, 3, 2, 7)
    assert unpack_input(pack_input(given)) == given
    with pytest.raises(msgspec.MsgspecError):
        unpack_outcome(b"")
