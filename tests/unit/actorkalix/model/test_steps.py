"""Steps are named by `self`, kept by the class, and carry how to recover."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest

from actorkalix import (
    CommandError,
    Effect,
    StepEffect,
    Workflow,
    command,
    compensate,
    failover_to,
    max_retries,
    step,
)
from actorkalix.model.steps import Backoff, BoundStep, Recovery, Step

from .shop import Trip, running


class Hike(Workflow[int], id="hike", timeout=timedelta(hours=1)):
    @command
    def start(self) -> Effect[str]:
        return self.effects.transition_to(self.up, 3).then_reply("off")

    @step(timeout=timedelta(seconds=9), recover=max_retries(2).failover_to("down", "slowly"))
    async def up(self, metres: int) -> StepEffect:
        """Go up."""
        return self.effects.transition_to(self.descend, "fast")

    @step(name="down", recover=failover_to("up", 3), num_cpus=2, memory=1_000)
    def descend(self, how: str) -> StepEffect:
        return self.effects.end(how)


def test_the_class_keeps_the_step() -> None:
    up = Hike.up
    assert isinstance(up, Step)
    assert (up.name, up.timeout, up.__doc__) == ("up", timedelta(seconds=9), "Go up.")
    assert up.recover is not None
    assert (up.recover.retries, up.recover.step, up.recover.args) == (2, "down", ("slowly",))
    down = Hike.descend
    assert (down.name, down.attribute, down.owner) == ("down", "descend", Hike)
    assert down.resources == {"num_cpus": 2, "memory": 1_000}
    assert (Trip.go.timeout, Trip.go.recover, Trip.go.resources) == (None, None, {})


def test_self_names_the_step_and_cannot_call_it() -> None:
    hike = running(Hike, 3)
    assert isinstance(hike.descend, BoundStep)
    assert (hike.descend.name, hike.descend.owner) == ("down", Hike)
    assert repr(hike.descend) == "<step Hike.down>"
    with pytest.raises(TypeError, match="not callable"):
        cast("Any", hike.descend)("x")
    assert Hike.descend.fn(hike, "x").decision.transition.reason == "x"


def ends(recovery: Recovery) -> tuple[int | None, str | None, tuple[Any, ...], bool]:
    return recovery.retries, recovery.step, recovery.args, recovery.undoes


def test_recoveries_say_how_often_and_what_then() -> None:
    assert ends(max_retries(None)) == (None, None, (), False)
    assert ends(failover_to("a", 1)) == (0, "a", (1,), False)
    assert ends(compensate()) == (0, None, (), True)
    assert ends(max_retries(3).compensate(then="a")) == (3, "a", (), True)


def test_backoff_is_kept_whatever_comes_then() -> None:
    second, final = timedelta(seconds=1), (CommandError,)
    made = max_retries(2, initial=second, factor=3, cap=9 * second, jitter=0, final=final)
    for recovery in (made, made.failover_to("a"), made.compensate()):
        assert recovery.backoff == Backoff(second, 3, 9 * second, 0)
        assert recovery.final == final


def test_on_failure_says_what_comes_after_the_last_attempt() -> None:
    mark = step(recover=max_retries(4), on_failure=compensate(then="down"))
    made: Step[Any, ...] = mark(cast("Any", Hike.up.fn))
    assert made.recover is not None
    assert ends(made.recover) == (4, "down", (), True)
    alone: Step[Any, ...] = step(on_failure=failover_to("down", "x"))(cast("Any", Hike.up.fn))
    assert alone.recover is not None
    assert ends(alone.recover) == (0, "down", ("x",), False)
