"""Effects of workflows: immutable data, and what cannot be is refused where it is written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from actorkalix import Calls, ChildEnd, Effect, Promise, StepEffect, Workflow, command, step
from actorkalix.model.steps import BoundStep
from actorkalix.model.transitions import (
    Compensate,
    End,
    Pause,
    StartChildren,
    ToStep,
    WaitFor,
)
from actorkalix.model.workflow_effects import Transition, WorkflowEffects

from .shop import Basket, Shop, Trip, running

flows: WorkflowEffects[int] = WorkflowEffects()
unchecked: Any = flows


class Deal(Workflow[int], id="deal"):
    @command
    def start(self) -> Effect[str]:
        return self.effects.transition_to(self.go).then_reply("off")

    @command
    def late(self) -> Effect[None]:
        return self.effects.end().then_reply(None)

    @step
    async def go(self) -> StepEffect:
        return self.effects.end()

    @step
    async def decided(self, yes: bool) -> StepEffect:
        return self.effects.end()

    @step
    async def joined(self, end: ChildEnd) -> StepEffect:
        return self.effects.end()

    @step
    async def all_joined(self, ends: list[ChildEnd]) -> StepEffect:
        return self.effects.end()


def reply_of(effect: Effect[Any], state: Any) -> Any:
    assert effect.decision.reply is not None
    return effect.decision.reply(state)


def test_transitions_of_a_workflow() -> None:
    trip = running(Trip)
    moved = flows.update_state(3).transition_to(trip.go, "far")
    assert isinstance(moved, Transition)
    assert moved.decision.transition == ToStep("go", ("far",))
    assert (moved.decision.state, moved.decision.has_state) == (3, True)
    assert reply_of(moved.then_reply("off"), 9) == "off"
    assert reply_of(flows.update_state(3).then_reply("stays"), 9) == "stays"
    assert flows.pause("waits").decision.transition == Pause("waits")
    assert flows.end("done").decision.transition == End("done")
    assert flows.delete_workflow().decision.transition == End(delete=True)


def test_a_pause_ends_by_a_step_or_by_a_command() -> None:
    deal, day = running(Deal), timedelta(days=1)
    by_step = deal.effects.pause("waits", timeout=day, then=deal.go)
    assert by_step.decision.transition == Pause("waits", day, "go")
    by_command = deal.effects.pause(timeout=day, then=deal.late)
    assert by_command.decision.transition == Pause("", day, None, "late")


def test_waiting_for_a_promise() -> None:
    deal, day = running(Deal), timedelta(days=1)
    promise = deal.promise("approval", bool)
    waits = deal.effects.wait_for(promise, then=deal.decided, timeout=day, on_timeout=deal.go)
    assert waits.decision.transition == WaitFor("approval", "decided", day, "go")
    alone = deal.effects.wait_for(promise, then=deal.go)
    assert alone.decision.transition == WaitFor("approval", "go")
    assert repr(promise) == "<promise 'approval'>"


def test_children_are_started_by_calls_of_workflows() -> None:
    deal, calls = running(Deal), Calls()
    one, two = calls.workflow(Trip, "t1").start(), calls.workflow(Trip, "t2").start()
    single = deal.effects.start_child(one, then=deal.joined)
    assert single.decision.transition == StartChildren((one,), "joined", single=True)
    both = deal.effects.start_children(two, then=deal.all_joined)
    assert both.decision.transition == StartChildren((two,), "all_joined")
    with pytest.raises(RuntimeError, match="already handed to"):
        deal.effects.start_child(one, then=deal.joined)
    wrong = calls.entity(Shop, "s").add("pen")
    with pytest.raises(TypeError, match="starts no workflow"):
        deal.effects.start_child(wrong, then=deal.joined)
    wrong.spend("seen")
    with pytest.raises(ValueError, match="at least one call"):
        deal.effects.start_children(then=deal.all_joined)


def test_undo_is_registered_in_order_and_kept_by_what_follows() -> None:
    deal, shop = running(Deal), Calls().entity(Shop, "s")
    one, two = shop.add("a"), shop.add("b")
    effect = deal.effects.update_state(1).with_undo(one).transition_to(deal.go).with_undo(two)
    assert effect.decision.undo == (one, two)
    assert effect.decision.has_state
    assert effect.then_reply("x").decision.undo == (one, two)
    assert deal.effects.compensate("no money").decision.transition == Compensate(None, "no money")
    assert deal.effects.compensate(then=deal.go).decision.transition == Compensate("go")


def test_wf_05_a_step_of_another_class_is_refused_where_it_is_written() -> None:
    deal, trip = running(Deal), running(Trip, Basket())
    with pytest.raises(TypeError, match="transition_to: go is a step of Trip, not of Deal"):
        deal.effects.transition_to(trip.go, "far")
    with pytest.raises(TypeError, match="then=: go is a step of Deal, not of Trip"):
        trip.effects.update_state(Basket()).pause(timeout=timedelta(1), then=deal.go)
    with pytest.raises(TypeError, match="a step or a command of this workflow"):
        trip.effects.pause(timeout=timedelta(1), then=deal.late)


@pytest.mark.parametrize(
    "build, error",
    [
        (lambda: unchecked.pause("x", timeout=timedelta(1)), ValueError),
        (lambda: unchecked.pause("x", then=BoundStep("a")), ValueError),
        (lambda: unchecked.pause("x", timeout=timedelta(0), then=BoundStep("a")), ValueError),
        (lambda: unchecked.pause("x", timeout=3, then=BoundStep("a")), TypeError),
        (lambda: unchecked.pause("x", timeout=timedelta(1), then="a"), TypeError),
        (lambda: unchecked.pause("  "), ValueError),
        (lambda: unchecked.end("\t"), ValueError),
        (lambda: unchecked.end(3), TypeError),
        (lambda: unchecked.transition_to("a"), TypeError),
        (lambda: unchecked.update_state(None), ValueError),
        (lambda: unchecked.wait_for("p", then=BoundStep("a")), TypeError),
        (
            lambda: unchecked.wait_for(Promise("p"), then=BoundStep("a"), timeout=timedelta(1)),
            ValueError,
        ),
        (lambda: Promise(""), ValueError),
        (lambda: Promise("p" * 257), ValueError),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    build: Callable[[], object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        build()
