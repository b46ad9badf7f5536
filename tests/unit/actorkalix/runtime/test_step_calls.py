"""Calls of steps: deadlines, keys, what has no answer; branches: all, first, so many."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from actorkalix import Calls, CommandError, Effect, ValueEntity, branch, command, max_retries, query
from actorkalix.errors import ActorkalixError, OutcomeUnknown, StepCallsItself
from actorkalix.failures import failure_of
from actorkalix.model.calls import Call
from actorkalix.model.parallel import Branch, Wait, branches_of
from actorkalix.runtime.in_process import HandlerTransport
from actorkalix.runtime.step_calls import Branches, StepAsk, StepKeys
from actorkalix.runtime.virtual import VirtualClock
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind, Reply

SECOND = timedelta(seconds=1)


class Tab(ValueEntity[int], id="tab"):
    def empty_state(self) -> int:
        return 0

    @command
    def add(self, n: int) -> Effect[int]:
        return self.effects.update_state(n).then_reply(lambda n: n)

    @query
    def get(self) -> int:
        return self.state


STEP = Message(MessageKind.STEP, "flow", "f1", "pay", key="root", deadline_ms=10_000)


class Scripted:
    """`Ask` whose answers are written down by entity; "hang" never answers."""

    def __init__(self, **answers: list[Any]) -> None:
        self.answers = answers
        self.asked: list[Message] = []

    async def ask(self, message: Message, /) -> Reply:
        self.asked.append(message)
        answer: Any = self.answers[message.entity].pop(0)
        if answer == "hang":
            await asyncio.Event().wait()
        if isinstance(answer, ActorkalixError):
            return Reply(failure=failure_of(answer))
        await asyncio.sleep(0)
        assert isinstance(answer, int)
        return Reply(bytes((answer,)))


def message(component: str = "tab", entity: str = "a", **more: Any) -> Message:
    return Message(MessageKind.COMMAND, component, entity, "add", **more)


# ---- what has no answer ------------------------------------------------------------------------
def test_deadlines_are_those_of_the_step_or_earlier() -> None:
    ask = Scripted(a=[1, 2, 3])
    step = StepAsk(ask, STEP, 9_000)

    async def go() -> None:
        for deadline_ms in (0, 20_000, 4_000):
            await step.ask(message(deadline_ms=deadline_ms))

    asyncio.run(go())
    assert [each.deadline_ms for each in ask.asked] == [9_000, 9_000, 4_000]
    assert step.open_until_ms == 0


def test_what_is_unknown_or_cut_off_stays_open_until_its_deadline() -> None:
    ask = Scripted(a=[OutcomeUnknown("who knows")], b=["hang"], c=[CommandError("no")])
    step = StepAsk(ask, STEP, 9_000)

    async def go() -> None:
        await step.ask(message(entity="c"))
        assert step.open_until_ms == 0
        await step.ask(message(entity="a", deadline_ms=2_000))
        assert step.open_until_ms == 2_000
        task = asyncio.ensure_future(step.ask(message(entity="b", deadline_ms=3_000)))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert step.open_until_ms == 3_000

    asyncio.run(go())


def test_wf_25_a_command_to_its_own_workflow_is_refused_others_are_not() -> None:
    ask = Scripted(f1=[1, 1], f2=[1])
    step = StepAsk(ask, STEP, 9_000)

    async def go() -> None:
        with pytest.raises(StepCallsItself, match="waits for 'add' of the same workflow"):
            await step.ask(message("flow", "f1"))
        await step.ask(message("flow", "f2"))
        await step.ask(Message(MessageKind.QUERY, "flow", "f1", "get"))
        await step.ask(Message(MessageKind.CONTROL, "flow", "f1", "suspend"))

    asyncio.run(go())
    assert [each.entity for each in ask.asked] == ["f2", "f1", "f1"]


def test_keys_count_the_calls_of_one_target() -> None:
    def keys(*calls: Call[Any]) -> list[str | None]:
        give = StepKeys(STEP)
        return [give(call.spend("seen")).idempotency_key for call in calls]

    a, b = Calls().entity(Tab, "a"), Calls().entity(Tab, "b")
    first = keys(a.add(1), a.add(1), b.add(1))
    assert len(set(first)) == 3
    assert keys(b.add(2), a.add(1), a.add(1)) == [first[2], first[0], first[1]]
    assert keys(a.add(1).with_idempotency_key("mine")) == ["mine"]


# ---- branches ----------------------------------------------------------------------------------
def together(
    ask: Scripted, work: Callable[[Branches], Awaitable[Any]], slept: list[float] | None = None
) -> Any:
    async def sleep(seconds: float) -> None:
        (slept if slept is not None else []).append(seconds)
        await asyncio.sleep(0)

    async def go() -> Any:
        transport = HandlerTransport(StepAsk(ask, STEP, 9_000), VirtualClock(0), STEP, 9_000)
        loop = asyncio.get_running_loop()
        return await work(Branches(transport, StepKeys(STEP), sleep, loop, jitter=lambda: 0.0))

    return asyncio.run(go())


def calls(*names: str) -> list[Call[int]]:
    return [Calls().entity(Tab, name).add(1) for name in names]


def run(
    ask: Scripted, *given: Call[Any] | Branch[Any], wait: Wait = "all", slept: Any = None
) -> Any:
    branches = branches_of(given, wait)
    return together(ask, lambda runner: runner.start(branches, wait), slept)


def test_all_replies_come_in_the_order_of_the_calls() -> None:
    ask = Scripted(a=[1], b=[2], c=[3])
    assert run(ask, *calls("a", "b", "c")) == (1, 2, 3)
    assert all(each.encoding is Encoding.MSGPACK and each.key for each in ask.asked)


def test_all_raises_the_first_error_after_all_have_ended() -> None:
    ask = Scripted(a=[1], b=[CommandError("second")], c=[CommandError("third")])
    with pytest.raises(CommandError, match="second"):
        run(ask, *calls("a", "b", "c"))
    assert len(ask.asked) == 3


def test_the_first_success_counts_and_the_rest_is_cancelled() -> None:
    ask = Scripted(a=["hang"], b=[CommandError("no")], c=[3])
    assert run(ask, *calls("a", "b", "c"), wait="first") == 3


def test_first_fails_when_all_fail() -> None:
    ask = Scripted(a=[CommandError("one")], b=[CommandError("two")])
    with pytest.raises(CommandError, match="one"):
        run(ask, *calls("a", "b"), wait="first")


def test_a_quorum_is_as_many_as_wanted_or_fails_as_soon_as_it_cannot_be() -> None:
    ask = Scripted(a=[1], b=["hang"], c=[3])
    assert run(ask, *calls("a", "b", "c"), wait=2) == (1, 3)
    ask = Scripted(a=[CommandError("one")], b=["hang"], c=[CommandError("three")])
    with pytest.raises(CommandError, match="one"):
        run(ask, *calls("a", "b", "c"), wait=2)


def test_a_branch_is_tried_again_with_the_key_that_it_had() -> None:
    ask, slept = Scripted(a=[CommandError("no"), CommandError("no"), 3], b=[2]), list[float]()
    (one, two) = calls("a", "b")
    again = branch(one, recover=max_retries(2, initial=SECOND, factor=3, cap=2 * SECOND))
    assert run(ask, again, two, slept=slept) == (3, 2)
    keys = [each.key for each in ask.asked if each.entity == "a"]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert slept == [1.0, 2.0]


def test_a_branch_has_a_value_to_fall_back_on() -> None:
    ask = Scripted(a=[CommandError("no"), CommandError("no")], b=[2])
    (one, two) = calls("a", "b")
    recover = max_retries(1, initial=SECOND)
    assert run(ask, branch(one, recover=recover, otherwise=-1), two) == (-1, 2)


def test_final_errors_and_time_end_the_attempts() -> None:
    ask = Scripted(a=[CommandError("no")])
    (one,) = calls("a")
    with pytest.raises(CommandError):
        run(ask, branch(one, recover=max_retries(None, final=(CommandError,))))
    ask = Scripted(a=[CommandError("1"), CommandError("2"), CommandError("3")])
    (one,) = calls("a")
    patient = max_retries(None, initial=SECOND, factor=1, max_elapsed=2 * SECOND)
    with pytest.raises(CommandError, match="3"):
        run(ask, branch(one, recover=patient))


def test_plain_functions_wait_in_their_thread() -> None:
    ask = Scripted(a=[1], b=[2])
    branches = branches_of(tuple(calls("a", "b")), "all")

    async def work(runner: Branches) -> Any:
        return await asyncio.to_thread(runner.run, branches, "all")

    assert together(ask, work) == (1, 2)
