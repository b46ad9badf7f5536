"""Steps are named by `self`, kept by the class, and carry how to recover."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest

from actorkalix import Context, StepEffect, Workflow, failover_to, max_retries, step
from actorkalix.model.component import Live
from actorkalix.model.effects import ToStep
from actorkalix.model.workflows import BoundStep, Step

from .shop import Trip, running


class Climb(Workflow[int], id="climb", timeout=timedelta(hours=1)):
    @step(timeout=timedelta(seconds=9), recover=max_retries(2).failover_to("down", "slowly"))
    async def up(self, metres: int) -> StepEffect:
        """Go up."""
        return self.effects.transition_to(self.down, "fast")

    @step(recover=failover_to("up", 3))
    def down(self, how: str) -> StepEffect:
        return self.effects.end(how)


def test_the_class_keeps_the_step() -> None:
    up = Climb.up
    assert isinstance(up, Step)
    assert (up.name, up.timeout, up.__doc__) == ("up", timedelta(seconds=9), "Go up.")
    assert up.recover is not None
    assert (up.recover.retries, up.recover.step, up.recover.args) == (2, "down", ("slowly",))
    down = Climb.down.recover
    assert down is not None
    assert (down.retries, down.step, down.args) == (0, "up", (3,))
    assert (Trip.go.timeout, Trip.go.recover) == (None, None)


def test_self_names_the_step_and_cannot_call_it() -> None:
    climb = running(Climb, 3)
    assert isinstance(climb.down, BoundStep)
    with pytest.raises(TypeError, match="not callable"):
        cast("Any", climb.down)("x")
    assert Climb.down.fn(climb, "x").decision.transition.reason == "x"


def test_commands_and_steps_decide() -> None:
    decision = running(Trip).start().decision
    assert decision.transition == ToStep("go", ("far",))


def test_the_state_is_none_until_a_command_has_stored_one() -> None:
    assert running(Climb).state is None
    assert running(Climb, 3).state == 3


def test_client_timers_and_resources_are_there_while_a_step_runs() -> None:
    client, timers, resources = object(), object(), object()
    climb = Climb()
    climb._live = Live(3, "c1", Context(), client, timers=timers, resources=resources)
    seen: list[Any] = [climb.entity_id, climb.client, climb.timers, climb.resources]
    assert seen == ["c1", client, timers, resources]
    with pytest.raises(RuntimeError, match=r"Climb\.timers exists only while a handler runs"):
        _ = Climb().timers
