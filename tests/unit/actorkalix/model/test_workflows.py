"""What a workflow's handlers see, and what clients may do with any workflow."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from actorkalix import Calls, Context, Effect, StepEffect, Workflow, command, step
from actorkalix.model.calls import Call
from actorkalix.model.component import Live
from actorkalix.model.parallel import Branch, Wait
from actorkalix.model.transitions import ToStep
from actorkalix.model.workflows import CONTROLS

from .shop import Shop, Trip, running


class Climb(Workflow[int], id="climb", timeout=timedelta(hours=1)):
    @command
    def start(self) -> Effect[str]:
        return self.effects.transition_to(self.up).then_reply("off")

    @step
    async def up(self) -> StepEffect:
        return self.effects.end()


class Together:
    """Keeps the branches that it is given."""

    def __init__(self) -> None:
        self.given: list[tuple[tuple[Branch[Any], ...], Wait]] = []

    async def start(self, branches: tuple[Branch[Any], ...], wait: Wait, /) -> Any:
        return self.run(branches, wait)

    def run(self, branches: tuple[Branch[Any], ...], wait: Wait, /) -> Any:
        self.given.append((branches, wait))
        return tuple(one.request.method for one in branches)


def test_commands_decide() -> None:
    assert running(Trip).start().decision.transition == ToStep("go", ("far",))


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


def test_every_workflow_has_controls_which_do_nothing_inside_of_it() -> None:
    calls = Calls().workflow(Climb, "c1")
    made: list[Call[str]] = [
        calls.suspend("lunch"),
        calls.resume(),
        calls.terminate(),
        calls.restart("up"),
        calls.resolve("approval", {"by": "ann"}),
    ]
    assert [call.spend("seen").method for call in made] == list(CONTROLS)
    inside: list[Any] = [getattr(running(Climb), name) for name in CONTROLS]
    for control in inside[:4]:
        with pytest.raises(RuntimeError, match=r"write client\.workflow\(T, id\)"):
            control()
    with pytest.raises(RuntimeError, match="does nothing inside a workflow"):
        inside[4]("approval")


def test_promises_that_a_handler_names_are_noted_once() -> None:
    climb = running(Climb)
    assert climb.promise("approval").name == "approval"
    climb.promise("approval", bool)
    climb.promise("other")
    assert climb._live is not None
    assert climb._live.noted.promises == ["approval", "other"]
    with pytest.raises(ValueError, match="has '/' in it"):
        climb.promise("a/b")


def test_undo_is_noted_before_the_call_is_made() -> None:
    climb = running(Climb)
    call = Calls().entity(Shop, "s").add("pen")
    climb.undo_by(call)
    assert climb._live is not None
    assert climb._live.noted.undo == [call]
    other = Calls().entity(Shop, "s").add("pen")
    with pytest.raises(RuntimeError, match="undo_by exists only while a handler runs"):
        Climb().undo_by(other)
    other.spend("seen")


def test_parallel_hands_its_branches_to_the_runner() -> None:
    shop, together = Calls().entity(Shop, "s"), Together()
    climb = Climb()
    climb._live = Live(3, "c1", Context(), parallel=together)

    async def run() -> tuple[object, ...]:
        return await climb.parallel(shop.add("pen"), shop.items())

    assert asyncio.run(run()) == ("add", "items")
    first: Any = climb.parallel(shop.add("pen"), wait="first").result()
    assert first == ("add",)
    assert [wait for _, wait in together.given] == ["all", "first"]
    pending = running(Climb).parallel(shop.add("pen"))
    with pytest.raises(RuntimeError, match="parallel does not exist in this method"):
        pending.result()
