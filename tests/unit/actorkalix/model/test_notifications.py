"""The mark of the method by which clients listen to a workflow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from actorkalix import Effect, StepEffect, Workflow, command, notifications, step
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
