"""The dispatch for callers that are no tasks: answers, forwards, and callers that go away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from actorkalix.limits import Limits
from actorkalix.runtime.dispatch import Dispatch
from actorkalix.runtime.virtual import VirtualClock, settle
from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.asked import Asked
from actorkalix_cluster.shardhost.messages import Failure, Message, MessageKind, Reply
from actorkalix_cluster.shardhost.ticket import Tell


def message(component: str, entity: str = "", *, depth: int = 0, method: str = "go") -> Message:
    return Message(MessageKind.COMMAND, component, entity, method, depth=depth)


class Actors:
    """Answers what it was told to, at once or when it is released."""

    def __init__(self, *replies: Reply, held: bool = False) -> None:
        self.replies = list(replies)
        self.held = held
        self.asked: list[Message] = []
        self.waiting: list[Asked] = []
        self.dropped: list[Asked] = []

    async def ask(self, message: Message, /) -> Reply:
        self.asked.append(message)
        return self.replies.pop(0)

    def begin(self, message: Message, tell: Tell, /) -> Reply | Asked:
        self.asked.append(message)
        if not self.held:
            return self.replies.pop(0)
        self.waiting.append(Asked(tell))
        return self.waiting[-1]

    def drop(self, asked: Asked, /) -> None:
        self.dropped.append(asked)

    def release(self) -> None:
        self.waiting.pop(0).tell(self.replies.pop(0))


class Runner:
    """Runs nothing; waits if it is told to."""

    def __init__(self, reply: Reply | Exception, *, waits: bool = False) -> None:
        self.reply = reply
        self.waits = waits
        self.ended = ""

    async def run(self, message: Message, elements: AsyncIterator[bytes] | None = None, /) -> Reply:
        try:
            if self.waits:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply

    async def stream(
        self, message: Message, elements: AsyncIterator[bytes] | None = None, /
    ) -> AsyncGenerator[Reply]:
        yield await self.run(message)


Case = Callable[["Rig"], Coroutine[Any, Any, None]]


class Rig:
    def __init__(self, actors: Actors, **runners: Runner) -> None:
        self.actors = actors
        self.dispatch = Dispatch(actors, VirtualClock(1_000), Limits())
        for component, runner in runners.items():
            self.dispatch.add(component, runner)
        self.told: list[Reply] = []

    def begin(self, sent: Message) -> Reply | Asked:
        return self.dispatch.begin(sent, self.told.append)

    def play(self, case: Case) -> None:
        asyncio.run(case(self))


def forward(component: str, entity: str = "", *, depth: int = 1) -> Reply:
    return Reply(forward=message(component, entity, depth=depth))


def test_an_entity_answers_at_once_or_later() -> None:
    async def case(rig: Rig) -> None:
        assert rig.begin(message("cart", "c")) == Reply(b"1")
        rig.actors.held = True
        assert isinstance(rig.begin(message("cart", "c")), Asked)
        rig.actors.release()
        assert rig.told == [Reply(b"2")]

    Rig(Actors(Reply(b"1"), Reply(b"2"))).play(case)


def test_a_forward_is_followed_whoever_has_it() -> None:
    """AC-30, through an entity, an action and an entity again."""

    async def case(rig: Rig) -> None:
        assert isinstance(rig.begin(message("cart", "a")), Asked)
        rig.actors.release()
        await settle()
        rig.actors.release()
        assert rig.told == [Reply(b"end")]
        assert [each.entity for each in rig.actors.asked] == ["a", "b"]
        assert rig.actors.asked[1].deadline_ms == 6_000, "an entity has `ask_timeout`"

    actors = Actors(forward("desk"), Reply(b"end"), held=True)
    Rig(actors, desk=Runner(forward("cart", "b", depth=2))).play(case)


@pytest.mark.parametrize("held", [False, True])
def test_of_a_forward_that_was_not_executed_the_outcome_is_unknown(held: bool) -> None:
    away = Reply(failure=failures.owner_away(3))

    async def case(rig: Rig) -> None:
        found = rig.begin(message("cart", "a"))
        if held:
            rig.actors.release()
            await settle()
            rig.actors.release()
            found = rig.told[0]
        assert isinstance(found, Reply)
        assert found.failure is not None
        assert (found.failure.number, found.failure.outcome) == ("AK3101", "unknown")
        rig.actors.replies += [forward("cart", "b"), away]
        rig.actors.held = False
        asked = await rig.dispatch.ask(message("cart", "a"))
        assert asked.failure == found.failure

    Rig(Actors(forward("cart", "b"), away, held=held)).play(case)


def test_a_task_that_asks_follows_too() -> None:
    async def case(rig: Rig) -> None:
        assert await rig.dispatch.ask(message("cart", "a")) == Reply(b"end")

    Rig(Actors(forward("desk")), desk=Runner(Reply(b"end"))).play(case)


def test_a_chain_is_bounded() -> None:
    async def case(rig: Rig) -> None:
        assert number(rig.begin(message("cart", "a", depth=9))) == "AK2016"
        assert number(await rig.dispatch.ask(message("cart", "a", depth=9))) == "AK2016"
        (only,) = [reply async for reply in rig.dispatch.stream(message("desk", depth=9))]
        assert number(only) == "AK2016"
        assert number(rig.begin(message("cart", "a", depth=8))) == "AK2016"
        assert len(rig.actors.asked) == 1

    Rig(Actors(forward("cart", "b", depth=9)), desk=Runner(Reply())).play(case)


@pytest.mark.parametrize("held_by", ["entity", "action", "forward"])
def test_who_goes_away_is_told_nothing(held_by: str) -> None:
    """AC-03: the handler of an action is cancelled."""
    runner = Runner(Reply(), waits=True)

    async def case(rig: Rig) -> None:
        asked = rig.begin(message("desk" if held_by == "action" else "cart"))
        assert isinstance(asked, Asked)
        await settle()
        if held_by == "forward":
            rig.actors.release()
            await settle()
        rig.dispatch.drop(asked)
        await settle()
        assert rig.told == []
        assert runner.ended == ("" if held_by == "entity" else "cancelled")
        assert len(rig.actors.dropped) == (held_by == "entity")

    Rig(Actors(forward("desk"), held=True), desk=runner).play(case)


def test_a_forward_is_not_followed_for_one_who_went_away_in_that_moment() -> None:
    async def case(rig: Rig) -> None:
        asked = rig.begin(message("cart"))
        assert isinstance(asked, Asked)
        rig.actors.release()
        rig.dispatch.drop(asked)
        await settle()
        assert len(rig.actors.asked) == 1

    Rig(Actors(forward("cart", "b"), held=True)).play(case)


def test_a_bug_of_a_runner_is_an_answer() -> None:
    async def case(rig: Rig) -> None:
        rig.begin(message("desk"))
        await settle()
        assert number(rig.told[0]) == "AK9001"

    Rig(Actors(), desk=Runner(RuntimeError("ours"))).play(case)


def test_only_actions_stream() -> None:
    async def case(rig: Rig) -> None:
        assert [reply async for reply in rig.dispatch.stream(message("desk"))] == [Reply(b"1")]
        (only,) = [reply async for reply in rig.dispatch.stream(message("cart"))]
        assert number(only) == "AK2003"

    Rig(Actors(), desk=Runner(Reply(b"1"))).play(case)


def test_the_end_cancels_what_runs() -> None:
    runner = Runner(Reply(), waits=True)

    async def case(rig: Rig) -> None:
        rig.begin(message("desk"))
        await settle()
        await rig.dispatch.aclose()
        assert runner.ended == "cancelled"

    Rig(Actors(), desk=runner).play(case)


def number(reply: Reply | Asked) -> str:
    assert isinstance(reply, Reply)
    assert isinstance(reply.failure, Failure)
    return reply.failure.number
