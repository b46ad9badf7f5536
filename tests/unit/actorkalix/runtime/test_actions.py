"""Actions on a host's loop: calls, keys, deadlines, slots, resources; through `TestService`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Any, cast

import pytest

from actorkalix import Action, Call, Client, CommandError, Limits, Service, handler
from actorkalix.errors import (
    CallsTooDeep,
    HandlerFailed,
    IdempotencyKeyReused,
    OutcomeUnknown,
    Overloaded,
)
from actorkalix.testkit import TestService
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind

from .errands import ENDED, STARTED, Errands, Intake, Sum, Tally, service

Test = Callable[[TestService], Awaitable[Any]]


def run(test: Test, it: Service = service) -> Any:
    async def main() -> Any:
        async with TestService(it) as running:
            return await test(running)

    return asyncio.run(main())


@pytest.mark.parametrize("how", ["add", "add_plainly", "pass_on"])
def test_a_handler_calls_an_entity(how: str) -> None:
    async def test(running: TestService) -> None:
        desk = running.client.action(Errands)
        call: Callable[[str, int], Call[Sum]] = getattr(desk, how)
        assert await call("t", 3) == Sum(3)
        assert await call("t", 4) == Sum(7)
        with pytest.raises(CommandError, match="only up") as caught:
            await call("t", -1)
        assert caught.value.code == "out_of_range"

    run(test)


def test_under_a_key_its_calls_happen_once() -> None:
    async def test(running: TestService) -> None:
        for _ in range(3):
            call = running.client.action(Errands).add_twice("t", 5)
            assert await call.with_idempotency_key("k") == 10
        assert await running.client.action(Errands).add_twice("t", 5) == 20
        for _ in range(2):
            passed = running.client.action(Errands).pass_on("u", 5)
            assert await passed.with_idempotency_key("k") == Sum(5)

    run(test)


@pytest.mark.parametrize("method", ["again", "round_and_round"])
def test_a_circle_of_calls_ends_and_says_so(method: str) -> None:
    async def test(running: TestService) -> None:
        client = running.client
        asked: Any = client.action(Errands) if method == "again" else client.entity(Tally, "a")
        with pytest.raises(CallsTooDeep, match=f"{method} was called at depth 9"):
            await getattr(asked, method)(*([0] if method == "again" else []))

    run(test)


def test_plain_functions_that_call_plain_functions_do_not_lock_each_other_out() -> None:
    async def test(running: TestService) -> None:
        desk = running.client.action(Errands)
        found = await asyncio.gather(*(desk.again_plainly(8) for _ in range(20)))
        assert found == [8] * 20

    run(test)


def test_calls_carry_the_tracing_and_nothing_else_of_their_cause() -> None:
    async def test(running: TestService) -> None:
        call = running.client.action(Errands).what_is_told()
        told = await call.with_metadata({"traceparent": "00-7", "tenant": "a"})
        assert told == "own=1,traceparent=00-7"

    run(test)


def test_a_handler_that_never_replies_is_ended_by_its_timeout() -> None:
    """AC-06."""
    ENDED.clear()

    async def test(running: TestService) -> None:
        asked = asyncio.ensure_future(_await(running.client.action(Errands).never()))
        await running.advance(timedelta(minutes=9, seconds=59))
        assert not asked.done()
        await running.advance(timedelta(seconds=1))
        with pytest.raises(OutcomeUnknown, match=r"errands\.never did not reply within 0:10:00"):
            await asked
        assert ENDED == ["never"]

    run(test)


def test_a_deadline_ends_it_sooner() -> None:
    async def test(running: TestService) -> None:
        call = running.client.action(Errands).never().with_timeout(timedelta(seconds=2))
        asked = asyncio.ensure_future(_await(call))
        await running.advance(timedelta(seconds=3))
        with pytest.raises(OutcomeUnknown, match="no answer came in time"):
            await asked

    run(test)


def test_a_caller_that_goes_away_cancels_the_handler() -> None:
    """AC-03."""
    ENDED.clear()

    async def test(running: TestService) -> None:
        asked = asyncio.ensure_future(_await(running.client.action(Errands).never()))
        await running.advance(timedelta(0))
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert ENDED == ["never"]

    run(test)


def test_a_handler_that_cancels_itself_has_failed(caplog: pytest.LogCaptureFixture) -> None:
    async def test(running: TestService) -> None:
        with pytest.raises(HandlerFailed, match=r"unexpected error \[local-"):
            await running.client.action(Errands).cancels_itself()
        assert "errands.cancels_itself failed, correlation id local-" in caplog.text

    run(test)


def test_more_than_the_slots_are_refused() -> None:
    few = Service("few", components=[Tally, Errands], limits=Limits(actions_max=2))

    async def test(running: TestService) -> None:
        desk = running.client.action(Errands)
        waiting = [asyncio.ensure_future(_await(desk.never())) for _ in range(2)]
        await running.advance(timedelta(0))
        with pytest.raises(Overloaded, match="too many handlers"):
            await desk.add("t", 1)
        for each in waiting:
            each.cancel()
        await asyncio.wait(waiting)
        assert await desk.add("t", 1) == Sum(1)

    run(test, few)


def test_resources_are_made_once_and_closed() -> None:
    ENDED.clear()

    async def test(running: TestService) -> None:
        desk = running.client.action(Errands)
        assert await desk.wares() == "wares"
        assert await desk.wares() == "wares"
        assert "wares" not in ENDED

    run(test)
    assert ENDED == ["wares"]


def test_resources_that_cannot_be_made_are_named(caplog: pytest.LogCaptureFixture) -> None:
    poor = Service("poor", components=[Tally, Errands], resources=_no_resources)

    async def test(running: TestService) -> None:
        with pytest.raises(HandlerFailed, match="unexpected error"):
            await running.client.action(Errands).wares()
        assert "the resources of service 'poor' could not be made: OSError: no way" in caplog.text
        assert await running.client.entity(Tally, "t").add(1) == Sum(1)

    run(test, poor)


def test_the_startup_hook_runs_at_every_start() -> None:
    """AC-08."""
    STARTED.clear()

    async def test(running: TestService) -> None:
        assert STARTED == [1]
        await running.restart()
        assert STARTED == [1, 2]

    run(test)


def test_a_plain_startup_hook_asks_by_result() -> None:
    def hook(client: Client) -> None:
        client.entity(Tally, "plain").add(3).result()

    plain = Service("plain", components=[Tally], on_startup=hook)

    async def test(running: TestService) -> None:
        assert await running.client.entity(Tally, "plain").get() == Sum(3)

    run(test, plain)


@pytest.mark.parametrize("method", ["add_here_and_there", "through_an_action"])
def test_an_entity_forwards(method: str) -> None:
    """AC-30: the target's reply is the reply, its failure the caller's error."""

    async def test(running: TestService) -> None:
        tally = running.client.entity(Tally, "here")
        if method == "through_an_action":
            assert await tally.through_an_action(5) == Sum(5)
            return
        assert await tally.add_here_and_there(5, "there") == Sum(5)
        assert await tally.get() == Sum(1)
        with pytest.raises(CommandError, match="only up"):
            await tally.add_here_and_there(-5, "there")
        assert await tally.get() == Sum(2), "the first change stays"
        assert await tally.looks_elsewhere("there") == Sum(5)

    run(test)


def test_a_forward_under_a_key_is_remembered() -> None:
    async def test(running: TestService) -> None:
        client: Client = running.client
        for _ in range(3):
            call = client.entity(Tally, "here").add_here_and_there(5, "there")
            assert await call.with_idempotency_key("k") == Sum(5)
        await running.restart()
        call = client.entity(Tally, "here").add_here_and_there(5, "there")
        assert await call.with_idempotency_key("k") == Sum(5)
        assert await client.entity(Tally, "here").get() == Sum(1)
        again = client.entity(Tally, "here").add_here_and_there(6, "there")
        with pytest.raises(IdempotencyKeyReused, match="was used for another request"):
            await again.with_idempotency_key("k")

    run(test)


async def _await(call: Awaitable[Any]) -> Any:
    return await call


def _no_resources() -> object:
    raise OSError("no way")


def test_streams_come_and_go() -> None:
    """AC-02."""

    async def test(running: TestService) -> None:
        client = running.client
        assert [each async for each in client.action(Errands).numbers(3)] == sums(0, 1, 2)
        assert await client.action(Intake).total(flow(1, 2, 3), 2) == 5
        assert await client.action(Intake).total(least=9, sums=flow(1, 2, 3)) == 0
        echoed = client.action(Intake).echo(2, flow(1, 2))
        assert [each async for each in echoed] == sums(2, 4)
        with pytest.raises(TypeError, match=r"total\(\) takes an async iterator for a stream"):
            await cast("Any", client.action(Intake)).total([1])

    run(test)


def test_a_stream_may_end_in_an_error_and_whoever_leaves_early_ends_it() -> None:
    """AC-03."""
    ENDED.clear()

    async def test(running: TestService) -> None:
        numbers = aiter(running.client.action(Errands).numbers(2, "refuse"))
        assert [await anext(numbers), await anext(numbers)] == sums(0, 1)
        with pytest.raises(CommandError, match="enough"):
            await anext(numbers)
        async with aclosing(aiter(running.client.action(Errands).numbers(9, "wait"))) as endless:
            assert await anext(endless) == Sum(0)
        assert ENDED == ["numbers", "numbers"]

    run(test)


def test_an_element_that_does_not_fit_is_named_by_its_line() -> None:
    async def test(running: TestService) -> None:
        message = Message(
            *(MessageKind.COMMAND, "intake", "", "total", b"", Encoding.QUERY_STRING),
            correlation_id="cid",
        )
        reply = await running.ask(message, lines(b'{"total":1}', b'{"total":"x"}'))
        assert reply.failure is not None
        assert reply.failure.number == "AK2002"
        assert reply.failure.message == "line 2: total: expected int, got str"
        assert (await running.ask(message, lines(b'{"total":7}'))).payload == b"7"
        assert (await running.ask(message)).payload == b"0"

    run(test)


def sums(*totals: int) -> list[Sum]:
    return [Sum(total) for total in totals]


async def flow(*totals: int) -> AsyncGenerator[Sum]:
    for total in totals:
        yield Sum(total)


async def lines(*each: bytes) -> AsyncGenerator[bytes]:
    for line in each:
        yield line


class Changing(Action, id="changing", runs="inline"):
    """Refuses, before or after it changed something."""

    @handler
    async def refuse(self, first: str) -> None:
        tally = self.client.entity(Tally, "t")
        if first == "change":
            await tally.add(1)
        elif first == "look":
            await tally.get()
        raise CommandError("not today", code="failed_precondition")


@pytest.mark.parametrize("first, outcome", [("change", "unknown"), ("look", "not_executed")])
def test_a_refusal_after_a_change_does_not_say_that_nothing_was_done(
    first: str, outcome: str
) -> None:
    async def test(running: TestService) -> None:
        with pytest.raises(CommandError, match="not today") as caught:
            await running.client.action(Changing).refuse(first)
        assert (caught.value.code, caught.value.outcome) == ("failed_precondition", outcome)

    run(test, Service("changing", components=[Changing, Tally]))
