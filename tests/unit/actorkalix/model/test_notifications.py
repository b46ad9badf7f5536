"""The mark of the method by which clients listen to a workflow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from actorkalix import DefinitionError, Effect, StepEffect, Workflow, command, notifications, step
from actorkalix.describe import descriptor_of
from actorkalix.model.client import Calls
from actorkalix.model.handlers import StreamRef


class Counting(Workflow[int], id="counting"):
    @notifications
    def told(self) -> AsyncIterator[int]:
        raise NotImplementedError

    @command
    def start(self) -> Effect[None]:
        return (
            self.effects.update_state(0).notify(0).notify(1).transition_to(self.go).then_reply(None)
        )

    @step
    async def go(self) -> StepEffect:
        return self.effects.end().notify(2)


def test_the_mark_makes_a_stream() -> None:
    handler = descriptor_of(Counting).handlers["told"]
    assert (handler.kind, handler.streams, handler.reply) == ("notifications", True, int)
    assert isinstance(Counting.told, StreamRef)
    calls: Any = Calls()
    call = calls.workflow(Counting, "c").told()
    call.spend("looked at")
    assert call.request.method == "told"


def test_what_is_wrong_is_said_at_once() -> None:
    with pytest.raises(DefinitionError) as caught:

        class Wrong(Workflow[int], id="wrong"):
            @notifications  # type: ignore[arg-type]
            def one(self) -> int:
                raise NotImplementedError

            @notifications
            def two(self, since: int) -> AsyncIterator[int]:
                raise NotImplementedError

            @command
            def start(self) -> Effect[None]:
                return self.effects.end().then_reply(None)

    said = str(caught.value)
    assert "one and two are both @notifications; a workflow tells one type" in said
    assert "one streams; write -> AsyncIterator[...]" in said
    assert "two takes nothing; all who listen hear the same" in said


def test_only_workflows_tell() -> None:
    from actorkalix import ValueEntity

    with pytest.raises(DefinitionError, match="has @notifications; handlers of value entities"):

        class Note(ValueEntity[int], id="note"):
            def empty_state(self) -> int:
                return 0

            @notifications  # type: ignore[type-var]
            def told(self) -> AsyncIterator[int]:
                raise NotImplementedError
