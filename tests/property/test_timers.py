"""Timers of a whole service: each fires once, not early; a replaced or cancelled one never does.

The service is killed and stands still at random. The check is shown to bite: it finds what is
planted.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorkalix.engine import timer
from actorkalix.engine.timer import CANCEL, TimerBehavior, Waiting
from actorkalix.testkit import TestService
from actorkalix_cluster.shardhost.behavior import Step
from actorkalix_cluster.shardhost.fired import Settled
from actorkalix_cluster.shardhost.messages import Message, Reply
from actorkalix_cluster.shardhost.timers import Timers
from tests.unit.actorkalix.runtime.bell import Bell, service

Does = Literal["start", "cancel", "wait", "kill", "stand still"]
Act = tuple[Does, str, int]  # what, the timer's name, seconds
DOES: tuple[Does, ...] = ("start", "start", "cancel", "wait", "wait", "kill", "stand still")
SECONDS_MAX = 40
RUNS_MAX = 50


@dataclass
class Started:
    """A timer that was started.

    Attributes:
        due_ms: when it is to fire.
        ended_ms: when it was replaced or cancelled, 0 while it was not.
    """

    due_ms: int
    ended_ms: int = 0


async def wrong(acts: list[Act]) -> list[str]:
    """Play it, and say what is wrong with it."""
    started: list[Started] = []
    newest: dict[str, Started] = {}
    found: list[str] = []
    async with TestService(service) as running:
        for does, name, seconds in (*acts, ("wait", "", SECONDS_MAX)):
            if does in ("start", "cancel") and name in newest:
                newest.pop(name).ended_ms = running.now_ms
            if does == "start":
                call = running.client.entity(Bell, f"b{len(started)}").ring()
                await running.timers.start_single(name, after=timedelta(seconds=seconds), call=call)
                newest[name] = Started(running.now_ms + seconds * 1_000)
                started.append(newest[name])
            elif does == "cancel":
                await running.timers.cancel(name)
            elif does == "kill":
                await running.restart()
            elif does == "stand still":
                assert running._host is not None
                running._host.abandon()
                running._clock._now_ms += seconds * 1_000
                await running.restart()
            await running.advance(timedelta(seconds=seconds if does == "wait" else 0))
            found += [
                f"{does}: timer {number}: {said}"
                for number, each in enumerate(started)
                if (said := await _wrong_with(running, number, each))
            ]
    return found


async def _wrong_with(running: TestService, number: int, each: Started) -> str:
    rung = (await running.client.entity(Bell, f"b{number}").rung()).times
    if rung > 1:
        return f"fired {rung} times"
    if rung and running.now_ms < each.due_ms:
        return "fired early"
    if rung and 0 < each.ended_ms < each.due_ms:
        return "fired after its end"
    if not rung and each.due_ms <= running.now_ms and not 0 < each.ended_ms <= each.due_ms:
        return "did not fire"
    return ""


ACTS = st.tuples(
    st.sampled_from(DOES), st.sampled_from(["a", "b", "c"]), st.integers(1, SECONDS_MAX)
)


@settings(max_examples=40, deadline=None)
@given(st.lists(ACTS, max_size=14))
def test_ti_03_timers_fire_once_and_in_time(acts: list[Act]) -> None:
    assert asyncio.run(wrong(acts)) == []


# ---- it bites ------------------------------------------------------------------------------------
def _early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timers are due a second before their time."""
    right = timer._first

    def first(plan: timer.Plan, now_ms: int) -> int:
        return max(now_ms + 1, right(plan, now_ms) - 1_000)

    monkeypatch.setattr(timer, "_first", first)


def _not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second start under a name is not taken."""
    right = TimerBehavior._start

    def start(self: Any, instance: Waiting, message: Message, now_ms: int) -> Step[Waiting]:
        if instance.timer is not None:
            return Step(instance, (), Reply())
        return right(self, instance, message, now_ms)

    monkeypatch.setattr(TimerBehavior, "_start", start)


def _not_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancel is answered, and nothing else."""
    right = TimerBehavior.step

    def step(self: Any, instance: Waiting, message: Message, now_ms: int) -> Step[Waiting]:
        if message.method == CANCEL:
            return Step(instance, (), Reply(b"\xc3"))
        return right(self, instance, message, now_ms)

    monkeypatch.setattr(TimerBehavior, "step", step)


def _not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is due sooner than the next look is not looked for."""

    def written(self: Timers, component: str, at_ms: int) -> None:
        """Nothing is noted."""

    monkeypatch.setattr(Timers, "written", written)


def _twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A timer that has fired stays, and each firing has a key of its own."""
    right = TimerBehavior._go_on

    def go_on(
        self: Any, instance: Waiting, fired: timer.Timer, now_ms: int, attempt: int = 0
    ) -> Step[Waiting]:
        if fired.number > 1:
            return right(self, instance, fired, now_ms, attempt)
        again = timer._next(fired, now_ms + 1_000)
        return timer._stored(instance, again, again.due_ms, now_ms, Settled(again.due_ms))

    monkeypatch.setattr(TimerBehavior, "_go_on", go_on)


PLANTED: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str]] = {
    "early": (_early, "fired early"),
    "not replaced": (_not_replaced, "fired after its end"),
    "not cancelled": (_not_cancelled, "fired after its end"),
    "not looked for": (_not_looked_for, "did not fire"),
    "twice": (_twice, "fired 2 times"),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_what_is_planted_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, said = PLANTED[bug]
    plant(monkeypatch)
    for seed in range(RUNS_MAX):
        chance = random.Random(seed)
        acts: list[Act] = [
            (chance.choice(DOES), chance.choice("abc"), chance.randint(1, SECONDS_MAX))
            for _ in range(14)
        ]
        if any(said in text for text in asyncio.run(wrong(acts))):
            return
    pytest.fail(f"{bug!r} survives {RUNS_MAX} runs")
