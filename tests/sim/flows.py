"""A service with workflows: money moves between purses, with approvals, pauses, children, undo."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from actorkalix import (
    Call,
    CommandError,
    Effect,
    Service,
    StepEffect,
    ValueEntity,
    Workflow,
    command,
    compensate,
    max_retries,
    query,
    step,
)
from actorkalix.model.steps import Recovery
from actorkalix.model.transitions import ChildEnd


@dataclass(frozen=True)
class Held:
    """What a purse has; and what was put in and taken out, by whom."""

    amount: int = 0
    moves: tuple[str, ...] = ()


class Purse(ValueEntity[Held], id="purse"):
    """Knows every move by its name; one that comes twice shows."""

    def empty_state(self) -> Held:
        return Held()

    @command
    def move(self, amount: int, by: str) -> Effect[int]:
        if self.entity_id == "shut":
            return self.effects.error("it is shut", code="failed_precondition")
        held = Held(self.state.amount + amount, (*self.state.moves, by))
        return self.effects.update_state(held).then_reply(lambda now: now.amount)

    @command
    def back(self, amount: int, by: str) -> Effect[int]:
        """Undo a move, if it was made; and see to it that it is not made later."""
        if f"back {by}" in self.state.moves:
            return self.effects.error("it was undone", code="already_exists")
        undone = amount if by in self.state.moves else 0
        moves = (*self.state.moves, f"back {by}")
        held = Held(self.state.amount - undone, moves)
        return self.effects.update_state(held).then_reply(lambda now: now.amount)

    @query
    def get(self) -> Held:
        return self.state


@dataclass(frozen=True)
class Moving:
    """Where a transfer stands."""

    amount: int = 0
    to: str = ""
    status: str = ""


SOON = timedelta(milliseconds=40)


def _soon(retries: int) -> Recovery:
    return max_retries(retries, initial=timedelta(milliseconds=5), cap=SOON)


class Move(Workflow[Moving], id="move", snapshot_every=4, step_timeout=timedelta(milliseconds=60)):
    """Takes from one purse, gives to another; undoes it where that fails."""

    @command
    def start(self, amount: int, to: str) -> Effect[str]:
        if self.state is not None:
            return self.effects.reply(self.state.status)
        self.promise("word")
        started = self.effects.update_state(Moving(amount, to, "started"))
        return started.transition_to(self.take).then_reply("started")

    @command
    def again(self) -> Effect[str]:
        if self.state is None or self.state.status != "rests":
            return self.effects.reply("no")
        woken = self.effects.update_state(replace(self.state, status="woken"))
        return woken.transition_to(self.give).then_reply("woken")

    @command
    def late(self) -> Effect[str]:
        if self.state is None or self.state.status != "rests":
            return self.effects.reply("no")
        state = replace(self.state, status="late")
        return self.effects.update_state(state).transition_to(self.give).then_reply("late")

    @query
    def get(self) -> Moving:
        return self.state

    def _by(self, what: str) -> str:
        return f"{type(self).__name__} {self.entity_id} {what}"

    @step(recover=_soon(2).compensate(then="lost"))
    async def take(self) -> StepEffect:
        purse, amount = self.client.entity(Purse, "source"), self.state.amount
        by = self._by("take")
        self.undo_by(self.client.entity(Purse, "source").back(-amount, by))
        await purse.move(-amount, by)
        taken = self.effects.update_state(replace(self.state, status="taken"))
        if amount == 1:
            rests = replace(self.state, status="rests")
            return self.effects.update_state(rests).pause("resting", timeout=SOON, then=self.late)
        if amount == 2:
            return taken.wait_for(
                self.promise("word"), then=self.give, timeout=SOON, on_timeout=self.give
            )
        return taken.transition_to(self.give)

    @step(recover=_soon(2).compensate())
    async def give(self) -> StepEffect:
        by = self._by("give")
        self.undo_by(self.client.entity(Purse, self.state.to).back(self.state.amount, by))
        await self.client.entity(Purse, self.state.to).move(self.state.amount, by)
        return self.effects.update_state(replace(self.state, status="done")).end("moved")

    @step
    async def lost(self) -> StepEffect:
        return self.effects.update_state(replace(self.state, status="lost")).end("lost")


SHORT, LONG = timedelta(milliseconds=60), timedelta(milliseconds=300)


class Timed(Move, id="timed", timeout=LONG, on_timeout="lost", step_timeout=SHORT):
    """The same, with a timeout and a step after it."""


class Hasty(Move, id="hasty", step_timeout=LONG):
    """The same, but it does not always wait for what it has asked."""

    @step(recover=compensate(then="lost"))
    async def take(self) -> StepEffect:
        by, amount = self._by("take"), self.state.amount
        self.undo_by(self.client.entity(Purse, "source").back(-amount, by))
        asked = asyncio.ensure_future(_sent(self.client.entity(Purse, "source").move(-amount, by)))
        asked.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.sleep(0.001)
        if amount < 3:
            raise CommandError("too hasty")
        await asked
        return self.effects.update_state(replace(self.state, status="taken")).end("taken")


async def _sent(call: Call[int]) -> int:
    return await call


@dataclass(frozen=True)
class Both:
    """How two moves have ended."""

    ends: tuple[str, ...] = ()


class Pair(Workflow[Both], id="pair", step_timeout=timedelta(milliseconds=60)):
    """Two moves as children."""

    @command
    def begin(self, amount: int) -> Effect[str]:
        if self.state is not None:
            return self.effects.reply("begun")
        calls: list[Any] = [
            self.client.workflow(Move, f"{self.entity_id}-{to}").start(amount, to)
            for to in ("target", "other")
        ]
        begun = self.effects.update_state(Both())
        return begun.start_children(*calls, then=self.ended).then_reply("begun")

    @step(recover=compensate())
    async def ended(self, ends: list[ChildEnd]) -> StepEffect:
        said = tuple(f"{end.workflow_id} {end.status}" for end in ends)
        return self.effects.update_state(Both(said)).end()

    @query
    def seen(self) -> Both:
        return self.state


service = Service("flows", components=[Purse, Move, Timed, Hasty, Pair])
