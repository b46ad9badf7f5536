"""`WorkflowTestKit`: commands, steps, failures and time against one workflow."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from actorkalix import (
    CommandError,
    Effect,
    StepEffect,
    ValueEntity,
    Workflow,
    command,
    max_retries,
    query,
    step,
)
from actorkalix.engine.workflow_control import Did
from actorkalix.errors import HandlerFailed, InvalidPayload, TransitionRefused
from actorkalix.model.transitions import ChildEnd
from actorkalix.testkit import WorkflowTestKit

T = TypeVar("T")
DAY = timedelta(days=1)


def run(case: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(case)


class Till(ValueEntity[int], id="kit-till"):
    def empty_state(self) -> int:
        return 0

    @command
    def take(self, amount: int) -> Effect[int]:
        return self.effects.update_state(self.state - amount).then_reply(lambda rest: rest)

    @command
    def give(self, amount: int) -> Effect[int]:
        return self.effects.update_state(self.state + amount).then_reply(lambda rest: rest)


@dataclass(frozen=True)
class Trade:
    amount: int
    done: tuple[str, ...] = ()


class Buying(Workflow[Trade], id="kit-buying", timeout=timedelta(days=30)):
    @command
    def start(self, amount: int) -> Effect[str]:
        if self.state is not None:
            return self.effects.error("already started", code="already_exists")
        self.promise("approval", bool)
        return self.effects.update_state(Trade(amount)).transition_to(self.pay).then_reply("ok")

    @command
    def hurry(self) -> Effect[str]:
        return self.effects.transition_to(self.deliver, "fast").then_reply("hurrying")

    @query
    def get(self) -> Trade:
        return self.state

    @step(recover=max_retries(1, initial=timedelta(seconds=2), jitter=0.0).compensate())
    async def pay(self) -> StepEffect:
        self.undo_by(self.client.entity(Till, "t").give(self.state.amount))
        await self.client.entity(Till, "t").take(self.state.amount)
        paid = self.effects.update_state(replace(self.state, done=("paid",)))
        if self.state.amount > 1_000:
            approval = self.promise("approval", bool)
            return paid.wait_for(approval, then=self.approved, timeout=DAY, on_timeout=self.late)
        return paid.pause("until called", timeout=DAY, then=self.late)

    @step
    async def approved(self, yes: bool) -> StepEffect:
        return self.effects.transition_to(self.deliver, "slow" if yes else "never")

    @step
    def deliver(self, how: str) -> StepEffect:
        done = (*self.state.done, f"delivered {how}")
        return self.effects.update_state(replace(self.state, done=done)).end(how)

    @step
    async def late(self) -> StepEffect:
        return self.effects.compensate("nobody came")

    @command
    def fan(self) -> Effect[str]:
        children = [self.client.workflow(Buying, name).start(1) for name in ("a", "b")]
        return self.effects.start_children(*children, then=self.gathered).then_reply("fanned")

    @step
    async def gathered(self, ends: list[ChildEnd]) -> StepEffect:
        said = tuple(f"{end.workflow_id} {end.status}" for end in ends)
        return self.effects.update_state(Trade(0, said)).end()


def kit() -> WorkflowTestKit[Buying, Trade]:
    return WorkflowTestKit(Buying, "b1").answer(Till.take, 0).answer(Till.give, 0)


def test_steps_one_by_one() -> None:
    async def case() -> None:
        flow = kit()
        assert flow.status == "not_started"
        assert flow.call(Buying.start, 5).reply == "ok"
        assert flow.status == "running"
        ran = await flow.run_next()
        assert ran is not None
        assert (ran.name, ran.attempt, ran.error, ran.status) == ("pay", 1, None, "paused")
        assert flow.state == Trade(5, ("paid",))
        assert await flow.run_next() is None
        assert flow.look().reason == "until called"
        assert flow.call(Buying.hurry).reply == "hurrying"
        assert [each.name for each in await flow.run()] == ["deliver"]
        assert (flow.status, flow.look().reason) == ("ended", "fast")
        assert [call.method for call in flow.asked] == ["take"]
        assert [entry.did for entry in flow.history] == [
            *(Did.COMMAND, Did.COMPLETED, Did.COMMAND, Did.COMPLETED)
        ]

    run(case())


def test_errors_of_commands_and_of_the_test() -> None:
    flow = kit()
    flow.call(Buying.start, 5)
    with pytest.raises(AssertionError, match=r"start waits, for the workflow is running"):
        flow.call(Buying.start, 5)
    run(flow.run())
    refused = flow.call(Buying.start, 5)
    assert refused.is_error
    assert isinstance(refused.error, CommandError)
    flow.call(Buying.terminate, "enough")
    assert isinstance(flow.call(Buying.hurry).error, TransitionRefused)
    wrong: Any = "five"
    with pytest.raises(InvalidPayload):
        WorkflowTestKit(Buying).call(Buying.start, wrong)


def test_injected_failures_are_retried_and_then_undone() -> None:
    async def case() -> None:
        flow = kit().fail(Buying.pay, TimeoutError("gone"), times=1)
        flow.answer(Till.take, CommandError("no money"))
        flow.call(Buying.start, 5)
        (first,) = await flow.run()
        assert isinstance(first.error, HandlerFailed)
        assert flow.status == "retrying"
        flow.crash()
        assert flow.look().attempt == 2
        ran = await flow.advance(timedelta(seconds=10))
        assert [each.name for each in ran] == ["pay", "undo kit-till/t.give"]
        assert str(ran[0].error) == "no money"
        assert flow.status == "failed"
        assert flow.look().reason == "AK2001 no money"

    run(case())


def test_a_pause_ends_in_virtual_time() -> None:
    async def case() -> None:
        flow = kit()
        flow.call(Buying.start, 5)
        await flow.run()
        assert await flow.advance(timedelta(hours=23)) == []
        ran = await flow.advance(timedelta(hours=2))
        assert [each.name for each in ran] == ["late", "undo kit-till/t.give"]
        assert flow.look().reason == "nobody came"

    run(case())


def test_a_promise_is_resolved_before_or_while_it_is_awaited() -> None:
    async def case() -> None:
        before, after = kit(), kit()
        before.call(Buying.start, 5_000)
        assert before.call(Buying.resolve, "approval", True).reply == "running"
        await before.run()
        after.call(Buying.start, 5_000)
        await after.run()
        assert after.status == "waiting"
        assert after.look().promises == ("approval",)
        wrong = after.call(Buying.resolve, "aproval", True).error
        assert "open are: approval" in str(wrong)
        after.call(Buying.resolve, "approval", True)
        await after.run()
        assert before.state == after.state == Trade(5_000, ("paid", "delivered slow"))

    run(case())


def test_children_are_started_and_their_ends_told() -> None:
    async def case() -> None:
        flow = kit().answer(Buying.start, "ok")
        flow.call(Buying.fan)
        ran = await flow.run()
        assert [each.name for each in ran] == [
            *("start kit-buying/a.start", "start kit-buying/b.start")
        ]
        assert flow.status == "waiting"
        assert flow.look().children == ("kit-buying/a", "kit-buying/b")
        flow.end_child(Buying, "b", "failed", reason="broken")
        assert flow.status == "waiting"
        flow.end_child(Buying, "a", state=Trade(1))
        await flow.run()
        assert flow.state == Trade(0, ("a ended", "b failed"))

    run(case())


def test_a_step_by_itself_and_a_missing_answer() -> None:
    async def case() -> None:
        flow = kit()
        flow.call(Buying.start, 5)
        await flow.run()
        assert (await flow.run_step(Buying.deliver, "now")).done == ("paid", "delivered now")
        bare = WorkflowTestKit(Buying)
        bare.call(Buying.start, 5)
        with pytest.raises(AssertionError, match=r"kit-till\.take, for which there is no answer"):
            await bare.run()

    run(case())
