"""Steps as the engine's code runs them, without a loop of its own; the rest is in test_steps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from actorkalix import Calls, Effect, StepEffect, ValueEntity, Workflow, command, step
from actorkalix.describe import descriptor_of
from actorkalix.engine.step import StepCode
from actorkalix.engine.workflow_messages import Finish, StepInput, pack_input
from actorkalix.limits import FAILURE_CHARS_MAX
from actorkalix.model.component import Live
from actorkalix_cluster.shardhost.messages import Message, MessageKind

T = TypeVar("T")


class Bill(ValueEntity[int], id="bill"):
    def empty_state(self) -> int:
        return 0

    @command
    def cancel(self) -> Effect[None]:
        return self.effects.update_state(0).then_reply(None)


class Pays(Workflow[int], id="pays"):
    @command
    def start(self) -> Effect[None]:
        return self.effects.transition_to(self.pay).then_reply(None)

    @step
    async def pay(self) -> StepEffect:
        self.promise("approval")
        self.undo_by(Calls().entity(Bill, "b").cancel())
        context = self.context
        assert (context.attempt, context.delivery_id, context.name) == (2, "root", "pay")
        assert (self.entity_id, self.state, context.sequence_number) == ("p1", None, 7)
        return self.effects.end("paid").with_undo(Calls().entity(Bill, "c").cancel())

    @step
    async def fails(self) -> StepEffect:
        self.undo_by(Calls().entity(Bill, "b").cancel())
        raise ValueError("x" * 5_000)

    @step
    def plain(self) -> StepEffect:
        return self.effects.end("plain")

    @step
    async def leaves(self) -> StepEffect:
        raise GeneratorExit


def message(name: str) -> Message:
    given = pack_input(StepInput(attempt=2, sequence_number=7))
    return Message(MessageKind.STEP, "pays", "p1", name, given, key="root", deadline_ms=5)


def run(name: str, **options: Any) -> Any:
    reported: list[BaseException] = []
    code = StepCode(
        descriptor_of(Pays), report=lambda _message, problem: reported.append(problem), **options
    )
    outcome = asyncio.run(code.run(message(name), Live()))
    return outcome, reported


def test_what_a_step_notes_comes_before_its_effect() -> None:
    outcome, reported = run("pay")
    assert outcome.next == Finish("paid")
    assert outcome.promises == ("approval",)
    assert len(outcome.undo) == 2
    assert reported == []


def test_undo_counts_when_the_attempt_fails_and_what_is_written_is_bounded() -> None:
    outcome, reported = run("fails")
    assert len(outcome.undo) == 1
    assert outcome.failed.classes == ("ValueError", "Exception", "BaseException")
    assert len(outcome.failed.failure.message) == FAILURE_CHARS_MAX + 1
    assert [type(one) for one in reported] == [ValueError]
    assert run("fails")[0].undo == outcome.undo


def test_plain_functions_run_where_they_may_block() -> None:
    used: list[str] = []

    async def threads(work: Callable[[], T]) -> T:
        used.append("thread")
        return work()

    assert run("plain", threads=threads)[0].next == Finish("plain")
    assert used == ["thread"]
    assert run("plain")[0].next == Finish("plain")


def test_what_ends_more_than_the_step_passes() -> None:
    with pytest.raises(GeneratorExit):
        run("leaves")
    outcome, _ = run("leaves", passing=())
    assert outcome.failed.classes[0] == "GeneratorExit"
