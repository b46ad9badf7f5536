"""The runner of steps: whatever a step does, the workflow hears of it, and nothing is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, cast

import msgspec
import pytest

from actorkalix import (
    CommandError,
    Effect,
    Service,
    StepEffect,
    Workflow,
    command,
    max_retries,
    step,
)
from actorkalix.codec import codecs_for
from actorkalix.describe import descriptor_of
from actorkalix.engine.workflow_messages import (
    STATUS,
    StepInput,
    StepOutcome,
    WorkflowStatus,
    pack_input,
    unpack_outcome,
)
from actorkalix.failures import failure_of
from actorkalix.runtime.actions import Surroundings
from actorkalix.runtime.resources import Resources
from actorkalix.runtime.steps import FieldsTold, InlineSteps, failed_outcome
from actorkalix.runtime.virtual import VirtualClock, settle
from actorkalix.testkit import TestService
from actorkalix_cluster.shardhost.limits import HostLimits
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind, Reply
from actorkalix_cluster.shardhost.watchdog import Watch
from tests.unit.actorkalix.runtime.odd_flow import SECOND, Note, Odd


def run(work: Callable[[TestService], Awaitable[Any]]) -> None:
    async def go() -> None:
        async with TestService(Service("odd", components=[Note, Odd])) as running:
            await work(running)

    asyncio.run(go())


async def status_of(running: TestService, workflow_id: str) -> WorkflowStatus:
    message = Message(
        MessageKind.QUERY, "odd", workflow_id, STATUS, b"", Encoding.MSGPACK, Encoding.MSGPACK
    )
    reply = await running.ask(message)
    assert reply.failure is None
    return msgspec.msgpack.decode(reply.payload, type=WorkflowStatus)


async def ended(running: TestService, name: str, *, after: timedelta = 10 * SECOND) -> str:
    """How a workflow of this step ends: its reason."""
    await running.client.workflow(Odd, name).start(name)
    await running.advance(after)
    found = await status_of(running, name)
    assert found.status == "ended", found
    return found.reason


@pytest.mark.parametrize(
    "name",
    [
        *("garbage", "half", "replies", "base", "exits", "interrupted", "cancels_itself"),
        *("leaves", "leaves_late"),
        *("endless", "huge", "wrong_state", "wrong_input", "calls_itself", "refused"),
    ],
)
def test_a_step_that_goes_wrong_is_a_failed_attempt(name: str) -> None:
    async def work(running: TestService) -> None:
        assert await ended(running, name) == "failed over"
        assert await running.client.workflow(Odd, name).get() == "failed"

    run(work)


@pytest.mark.parametrize(
    "name, said",
    [
        ("garbage", "Odd.garbage returned int, no step's effect"),
        ("half", "say what comes next"),
        ("replies", "a step has no reply"),
        ("base", "Odd.base raised Stop: now"),
        ("exits", "Odd.exits raised SystemExit: 3"),
        ("cancels_itself", "raised CancelledError"),
        ("leaves", "odd.leaves raised GeneratorExit"),
        ("endless", "step 'endless' of odd 'o1' did not end within 5 s"),
        ("huge", "state of 11000"),
        ("wrong_state", "expected str, got int"),
        ("wrong_input", "n: expected int, got str"),
        ("calls_itself", "waits for 'start' of the same workflow"),
        ("refused", "no"),
        ("nowhere", "Odd has no step 'nowhere' (any more)"),
    ],
)
def test_what_went_wrong_is_said(name: str, said: str) -> None:
    outcome = attempt(name)
    assert outcome.failed is not None
    assert said in outcome.failed.failure.message


def test_wf_25_reading_its_own_workflow_is_fine() -> None:
    async def work(running: TestService) -> None:
        assert await ended(running, "reads_itself") == "saw reads_itself"

    run(work)


def test_plain_functions_block_in_a_thread() -> None:
    async def work(running: TestService) -> None:
        await running.client.workflow(Odd, "blocks").start("blocks")
        for _ in range(200):  # a real thread: virtual time does not know of it
            await running.advance(timedelta(0))
            if (await status_of(running, "blocks")).status == "ended":
                break
            await asyncio.to_thread(lambda: None)
        assert (await status_of(running, "blocks")).reason == "3 on the main thread: False"

    run(work)


def test_calls_of_a_second_attempt_count_once() -> None:
    async def work(running: TestService) -> None:
        assert await ended(running, "counts", after=60 * SECOND) == "attempt 2"
        assert await running.client.entity(Note, "n").get() == 2

    run(work)


def test_fields_that_a_step_sets_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async def work(running: TestService) -> None:
        for name in ("a", "b"):
            await running.client.workflow(Odd, name).start("sets_fields")
        await running.advance(SECOND)

    with caplog.at_level(logging.WARNING, "actorkalix.workflow"):
        run(work)
    told = [record.message for record in caplog.records if "self.total" in record.message]
    assert len(told) == 1
    assert "step 'sets_fields' of odd sets self.total, which is gone when it ends" in told[0]


# ---- the runner alone --------------------------------------------------------------------------
class Answers:
    """`Ask` that answers nothing until it is told to."""

    def __init__(self, reply: Reply | None = None) -> None:
        self.reply = reply
        self.asked: list[Message] = []

    async def ask(self, message: Message, /) -> Reply:
        self.asked.append(message)
        if self.reply is None:
            await asyncio.Event().wait()
        return cast("Reply", self.reply)


def around(ask: Any, clock: VirtualClock, **more: Any) -> Surroundings:
    limits = Service("odd", components=[Odd]).limits
    return Surroundings(ask, clock, limits, Resources("odd", more.pop("make", None)))


def message_for(name: str, clock: VirtualClock, **given: Any) -> Message:
    return Message(
        *(MessageKind.STEP, "odd", "o1", name, pack_input(StepInput(**given))),
        encoding=Encoding.MSGPACK,
        key="k",
        correlation_id="c",
        deadline_ms=clock.now_ms() + 5_000,
    )


def attempt(name: str, *, ask: Any = None, make: Any = None, **given: Any) -> StepOutcome:
    """The outcome of one attempt; its time passes."""

    async def go() -> StepOutcome:
        clock = VirtualClock()
        runner = InlineSteps(
            descriptor_of(Odd), around(ask or Answers(refusal()), clock, make=make)
        )
        task = asyncio.ensure_future(runner.run(message_for(name, clock, **given)))
        await clock.advance(10_000)
        reply = await task
        assert reply.failure is None
        return unpack_outcome(reply.payload)

    return asyncio.run(go())


def refusal() -> Reply:
    return Reply(failure=failure_of(CommandError("no", code="failed_precondition")))


def test_wf_04_the_step_sees_its_state_and_input() -> None:
    codec = codecs_for(descriptor_of(Odd))
    state = codec.stored.encode_state("far")
    arguments = codec.steps["takes"].encode((7,), {}, Encoding.MSGPACK)
    outcome = attempt("takes", state=state, arguments=arguments)
    assert outcome.next is not None
    assert outcome.failed is None


def test_input_that_does_not_fit_any_more_is_a_failed_attempt() -> None:
    arguments = codecs_for(descriptor_of(Odd)).steps["garbage"].encode((), {}, Encoding.MSGPACK)
    outcome = attempt("takes", arguments=arguments)
    assert outcome.failed is not None
    assert "missing" in outcome.failed.failure.message


def test_calls_without_an_answer_are_reported_with_their_deadline() -> None:
    ask = Answers()
    outcome = attempt("counts", ask=ask)
    assert outcome.failed is not None
    began_ms = VirtualClock().now_ms()
    assert [message.deadline_ms for message in ask.asked] == [began_ms + 4_500]
    assert outcome.calls_until_ms == began_ms + 4_500


def test_answered_calls_are_not_reported() -> None:
    outcome = attempt("refused")
    assert outcome.failed is not None
    assert outcome.failed.classes[:2] == ("CommandError", "ActorkalixError")
    assert outcome.calls_until_ms == 0


def test_resources_that_cannot_be_made_fail_the_attempt() -> None:
    async def make() -> object:
        raise ValueError("no database")

    outcome = attempt("takes", make=make)
    assert outcome.failed is not None
    assert "no database" in outcome.failed.failure.message


def test_a_step_is_cancelled_with_its_caller() -> None:
    async def go() -> None:
        clock = VirtualClock()
        runner = InlineSteps(descriptor_of(Odd), around(Answers(), clock))
        task = asyncio.ensure_future(runner.run(message_for("endless", clock)))
        await settle()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())


def test_the_watchdog_is_told_while_a_step_has_the_loop() -> None:
    seen: list[Any] = []

    class Looks(Workflow[int], id="looks"):
        @command
        def start(self) -> Effect[None]:
            return self.effects.reply(None)

        @step
        async def look(self) -> StepEffect:
            seen.append(watch.work)
            await asyncio.sleep(0)
            seen.append(watch.work)
            raise ValueError("end")

    watch = Watch(HostLimits())

    async def go() -> None:
        clock = VirtualClock()
        runner = InlineSteps(descriptor_of(Looks), around(Answers(), clock), watch=watch)
        task = asyncio.ensure_future(runner.run(message_for("look", clock)))
        await asyncio.sleep(0)
        assert watch.work is None
        await task

    asyncio.run(go())
    assert [work[1].method for work in seen] == ["look", "look"]
    assert watch.work is None


def test_an_attempt_of_which_nobody_knows() -> None:
    outcome = unpack_outcome(failed_outcome("its worker died", calls_until_ms=7).payload)
    assert outcome.failed is not None
    assert outcome.failed.failure.message == "its worker died"
    assert outcome.failed.failure.outcome == "unknown"
    assert outcome.calls_until_ms == 7


def test_the_kit_is_told_of_fields() -> None:
    told: list[str] = []
    fields = FieldsTold(told.append)
    message = Message(MessageKind.STEP, "odd", "o1", "a")
    fields(message, ("x", "y"))
    fields(message, ("x",))
    assert len(told) == 1
    assert "self.x, self.y" in told[0]


class Adding(Workflow[int], id="adding", recover=max_retries(0)):
    """Adds one to a note, and fails unless another says that it may go on."""

    @command
    def start(self) -> Effect[None]:
        return self.effects.update_state(0).transition_to(self.add).then_reply(None)

    @step
    async def add(self) -> StepEffect:
        await self.client.entity(Note, "sum").add(1)
        if not await self.client.entity(Note, "go").get():
            raise CommandError("not yet")
        return self.effects.end()


def test_a_restart_goes_on_with_a_step_that_has_failed_and_runs_a_completed_one_anew() -> None:
    async def work(running: TestService) -> None:
        adding, total = running.client.workflow(Adding, "a"), running.client.entity(Note, "sum")
        await adding.start()
        await running.advance(SECOND)
        for _ in range(2):
            assert await adding.restart("add") == "running"
            await running.advance(SECOND)
        assert await total.get() == 1, "its call has counted, and counts once"
        await running.client.entity(Note, "go").add(1)
        await adding.restart()
        await running.advance(SECOND)
        assert await total.get() == 1
        await adding.restart("add")
        await running.advance(SECOND)
        assert await total.get() == 2, "it was completed: all of it is done again"

    async def anew(running: TestService) -> None:
        adding, total = running.client.workflow(Adding, "a"), running.client.entity(Note, "sum")
        await adding.start()
        await running.advance(SECOND)
        await adding.restart("add", anew=True)
        await running.advance(10 * SECOND)
        assert await total.get() == 2

    async def both() -> None:
        for one in (work, anew):
            async with TestService(Service("adding", components=[Note, Adding])) as running:
                await one(running)

    asyncio.run(both())


class Brief(Adding, id="brief", expire_after=timedelta(hours=1)):
    """Is deleted an hour after its end."""


def test_a_workflow_that_has_ended_is_deleted_in_time() -> None:
    async def work() -> None:
        async with TestService(Service("brief", components=[Note, Brief])) as running:
            brief = running.client.workflow(Brief, "b")
            await brief.start()
            await running.advance(SECOND)
            assert await brief.suspend() == "failed"
            await running.restart()
            await running.advance(timedelta(minutes=59))
            assert await brief.suspend() == "failed"
            await running.advance(timedelta(minutes=2))
            assert await brief.suspend() == "deleted"

    asyncio.run(work())
