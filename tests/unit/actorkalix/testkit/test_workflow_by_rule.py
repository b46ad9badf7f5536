"""Rules of workflows that a kit shows: each test carries the number of its rule.

Where the rules stand in the code, and what else shows them (paths below tests/unit/actorkalix
where nothing else is said; `grep WF-nn` finds the tests):

    01 14 15            engine.workflow, .entity                  here, engine/test_workflow
    02 03 05            describe.workflows, model.workflow_effects  invalid, describe/test_workflows
    04 24 36 51         engine.step                               here, engine/test_step
    10 11 12 13         engine.workflow, .workflow_control        engine/test_workflow
    20 21               engine.workflow_attempt                   engine/test_workflow, e2e
    22 25               runtime.step_calls                        here, runtime/test_step_calls
    23                  codec                                     here
    30 31 32 33         engine.workflow_attempt, .workflow_rules  here, engine/test_workflow_rules,
                        runtime.steps, .tasks                     runtime/test_steps, test_tasks
    34                  engine.workflow_move                      engine/test_workflow
    35                  engine.workflow_move                      here, engine/test_workflow
    40 41               engine.workflow, .workflow_attempt        engine/test_workflow_attempt
    42 43 44            engine.workflow_control, .workflow_move   engine/test_workflow, _move
    45                  engine.workflow_move, .workflow_draft     engine/test_workflow_move, _draft
    50                  runtime.notifying, model.notifications    runtime/test_notifying
    52                  engine.changes, views                     runtime/test_subscriptions
    53                  runtime.workflow_check                    runtime/test_workflow_check
    55                  cli.workflows, runtime.workflow_listing   cli/test_workflows, e2e
    all of 10 to 45     a model of their own                      property/test_workflow_schedules
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta

import msgspec
import pytest

from actorkalix import (
    CommandError,
    Effect,
    StepEffect,
    ValueEntity,
    Workflow,
    command,
    query,
    step,
)
from actorkalix.errors import ResultTooLarge
from actorkalix.testkit import WorkflowTestKit

DAY = timedelta(days=1)


class Card(msgspec.Struct, frozen=True, tag=True):
    number: str


class Cash(msgspec.Struct, frozen=True, tag=True):
    amount: int


@dataclass(frozen=True)
class Bill:
    cents: int = 0
    seen: tuple[str, ...] = ()
    text: str = ""


class Full(CommandError):
    """Takes no more."""


class Purse(ValueEntity[int], id="rule-purse"):
    def empty_state(self) -> int:
        return 0

    @command
    def put(self, cents: int) -> Effect[int]:
        return self.effects.update_state(self.state + cents).then_reply(lambda now: now)


class Paying(Workflow[Bill], id="rule-paying"):
    @command
    def start(self, cents: int) -> Effect[str]:
        if self.state is not None:
            return self.effects.reply("was started")
        if cents < 0:
            return self.effects.error("less than nothing")
        if cents == 0:
            raise Full("nothing at all", code="out_of_range")
        return self.effects.update_state(Bill(cents)).transition_to(self.look).then_reply("started")

    @command
    def bare(self) -> Effect[str]:
        return self.effects.transition_to(self.look).then_reply("off")

    @command
    def pay(self, by: Card | Cash) -> Effect[None]:
        return self.effects.update_state(Bill()).transition_to(self.take, by).then_reply(None)

    @command
    def fill(self, size: int) -> Effect[None]:
        return self.effects.update_state(Bill(text="x" * size)).pause("full").then_reply(None)

    @step
    async def look(self) -> StepEffect:
        context = self.context
        seen = (f"{context.name} {context.subject} {context.attempt}", str(self.state))
        return self.effects.update_state(Bill(seen=seen)).end()

    @step
    async def take(self, by: Card | Cash) -> StepEffect:
        return self.effects.update_state(replace(self.state, seen=(repr(by),))).end()

    @query
    def get(self) -> Bill:
        return self.state


class Stubborn(Workflow[int], id="rule-stubborn"):
    @command
    def start(self) -> Effect[None]:
        return self.effects.update_state(0).transition_to(self.put).then_reply(None)

    @step
    async def put(self) -> StepEffect:
        await self.parallel(
            self.client.entity(Purse, "a").put(1), self.client.entity(Purse, "b").put(1)
        )
        return self.effects.end()


def test_wf_01_a_state_has_a_bound() -> None:
    kit = WorkflowTestKit(Paying)
    kit.call(Paying.fill, 900_000)
    with pytest.raises(ResultTooLarge, match="state of 10000"):
        kit.call(Paying.fill, 10_000_000)
    assert len(kit.state.text) == 900_000, "nothing of it was stored"


def test_wf_14_starting_twice_is_the_code_s_own_business() -> None:
    kit = WorkflowTestKit(Paying)
    assert kit.call(Paying.start, 3).reply == "started"
    asyncio.run(kit.run())
    assert kit.call(Paying.start, 3).reply == "was started"


@pytest.mark.parametrize("cents, kind", [(-1, CommandError), (0, Full)])
def test_wf_15_an_error_changes_nothing(cents: int, kind: type[CommandError]) -> None:
    kit = WorkflowTestKit(Paying)
    result = kit.call(Paying.start, cents)
    assert type(result.error) is kind
    assert kit.status == "not_started"
    assert kit.history == []


def test_wf_22_calls_of_a_step_may_be_made_at_once() -> None:
    kit = WorkflowTestKit(Stubborn).answer(Purse.put, 1)
    kit.call(Stubborn.start)
    asyncio.run(kit.run())
    assert [call.entity_id for call in kit.asked] == ["a", "b"]


@pytest.mark.parametrize("by", [Card("4711"), Cash(5)])
def test_wf_23_the_type_s_name_picks_the_class_of_an_input(by: Card | Cash) -> None:
    kit = WorkflowTestKit(Paying)
    kit.call(Paying.pay, by)
    kit.crash()
    asyncio.run(kit.run())
    assert kit.state.seen == (repr(by),)


def test_wf_24_a_step_without_a_state_sees_none() -> None:
    kit = WorkflowTestKit(Paying)
    kit.call(Paying.bare)
    asyncio.run(kit.run())
    assert kit.state.seen[1] == "None"


def test_wf_31_a_step_without_recovery_is_tried_again_without_end() -> None:
    kit = WorkflowTestKit(Stubborn).fail(Stubborn.put, Full("still"), times=500)

    async def patiently() -> int:
        kit.call(Stubborn.start)
        return len(await kit.advance(timedelta(hours=2)))

    attempts = asyncio.run(patiently())
    assert kit.status == "retrying"
    assert 7_200 / 30 - 2 <= attempts <= 7_200 / 24 + 6, "after 3 s at first, 30 s at last"


def test_wf_36_wf_51_a_step_knows_its_name_its_workflow_and_its_attempt() -> None:
    kit = WorkflowTestKit(Paying, "p7").fail(Paying.look, Full("no"), times=2)
    kit.call(Paying.start, 3)
    asyncio.run(kit.advance(DAY))
    assert kit.state.seen[0] == "look p7 3"


def test_wf_35_a_step_may_decide_to_compensate_by_what_it_was_answered() -> None:
    kit = WorkflowTestKit(Undoing).answer(Purse.put, 7)
    kit.call(Undoing.start)
    ran = asyncio.run(kit.run())
    assert [each.name for each in ran] == ["give", "check", "undo rule-purse/a.put"]
    assert kit.status == "ended"


class Undoing(Workflow[int], id="rule-undoing"):
    @command
    def start(self) -> Effect[None]:
        return self.effects.update_state(0).transition_to(self.give).then_reply(None)

    @step
    async def give(self) -> StepEffect:
        purse = self.client.entity(Purse, "a")
        await purse.put(1)
        return self.effects.update_state(1).with_undo(purse.put(-1)).transition_to(self.check)

    @step
    async def check(self) -> StepEffect:
        if await self.client.entity(Purse, "a").put(0) > 5:
            return self.effects.compensate("too much")
        return self.effects.end()
