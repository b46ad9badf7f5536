"""Runners of tasks over a pool that is none: outcomes, deadlines, callers that go away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, cast

import pytest

from actorkalix import (
    Action,
    Dedicated,
    Effect,
    Limits,
    Service,
    StepEffect,
    ValueEntity,
    Workflow,
    command,
    handler,
    query,
    step,
)
from actorkalix.describe import descriptor_of
from actorkalix.engine.workflow_attempt import NOT_BEGUN
from actorkalix.engine.workflow_messages import StepInput, pack_input, unpack_outcome
from actorkalix.errors import RayFailed
from actorkalix.runtime.actions import InlineRunner
from actorkalix.runtime.task_messages import message_in, packed
from actorkalix.runtime.tasks import (
    TaskRunner,
    TaskSteps,
    options_of,
    refuse_environments,
    task_actions,
)
from actorkalix.runtime.virtual import VirtualClock, settle
from actorkalix_cluster.rayhost.batching import Answer, Batching, Item, Lost
from actorkalix_cluster.rayhost.tasks import TaskOptions, TaskPool
from actorkalix_cluster.shardhost.messages import Message, MessageKind, Reply


class Chores(
    Action,
    id="chores",
    num_cpus=1,
    memory=1_000,
    runtime_env={"env_vars": {"B": "2", "A": "1"}},
    max_retries=2,
    timeout=timedelta(seconds=10),
):
    @handler
    async def sweep(self) -> int:
        return 1


class Quick(Action, id="quick", runs="inline"):
    @handler
    async def tick(self) -> int:
        return 1


class Plain(Action, id="plain"):
    @handler
    async def do(self) -> int:
        return 1


class Pool:
    """Keeps what is submitted."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.dropped: list[Item] = []
        self.full = False
        self.working = False

    def begun(self, group: int, item: Item) -> bool:
        return self.working

    def submit(self, group: int, item: Item) -> bool:
        assert group == 3
        if not self.full:
            self.items.append(item)
        return not self.full

    def drop(self, group: int, item: Item) -> None:
        self.dropped.append(item)

    def send(self) -> None:
        """What waits is with a worker."""
        core = Batching(10, 10, 8)
        for item in self.items:
            core.put(item)
            core.next()


Test = Callable[[TaskRunner, Pool, VirtualClock], Coroutine[Any, Any, None]]


def run(test: Test) -> None:
    async def inside() -> None:
        pool, clock = Pool(), VirtualClock()
        streams = cast("InlineRunner", None)
        runner = TaskRunner(
            descriptor_of(Chores), cast("TaskPool", pool), 3, clock, Limits(), streams
        )
        await test(runner, pool, clock)

    asyncio.run(inside())


def message(deadline_ms: int = 0) -> Message:
    return Message(
        MessageKind.COMMAND, "chores", "", "sweep", correlation_id="id", deadline_ms=deadline_ms
    )


def test_which_actions_run_as_tasks() -> None:
    it = Service("s", components=[Chores, Quick, Plain])
    assert [each.component_id for each in task_actions(it.descriptor)] == ["chores", "plain"]


def test_options_of_the_class_are_those_of_ray() -> None:
    environment = '{"env_vars":{"A":"1","B":"2"}}'
    assert options_of(descriptor_of(Chores).options) == TaskOptions(1, 0, 1_000, environment)
    assert options_of(descriptor_of(Plain).options) == TaskOptions()


def test_an_answer_is_the_reply() -> None:
    async def test(runner: TaskRunner, pool: Pool, clock: VirtualClock) -> None:
        asked = asyncio.create_task(runner.run(message()))
        await settle()
        (item,) = pool.items
        assert message_in(item.work) == message()
        assert (item.method, item.depth, item.retries) == ("chores.sweep", 0, 2)
        item.tell(Answer(packed(Reply(b"1"))))
        assert await asked == Reply(b"1")

    run(test)


@pytest.mark.parametrize(
    "started, number, outcome", [(True, "AK3101", "unknown"), (False, "AK3001", "not_executed")]
)
def test_a_lost_one_says_whether_it_may_have_been_done(
    started: bool, number: str, outcome: str
) -> None:
    async def test(runner: TaskRunner, pool: Pool, clock: VirtualClock) -> None:
        asked = asyncio.create_task(runner.run(message()))
        await settle()
        pool.items[0].tell(Lost(started, "it was killed"))
        failure = (await asked).failure
        assert failure is not None
        assert (failure.number, failure.outcome) == (number, outcome)
        assert "chores.sweep" in failure.message
        assert "it was killed" in failure.message

    run(test)


def test_too_many_are_refused() -> None:
    async def test(runner: TaskRunner, pool: Pool, clock: VirtualClock) -> None:
        pool.full = True
        failure = (await runner.run(message())).failure
        assert failure is not None
        assert failure.number == "AK3001"

    run(test)


def test_what_is_late_already_is_not_sent() -> None:
    async def test(runner: TaskRunner, pool: Pool, clock: VirtualClock) -> None:
        failure = (await runner.run(message(clock.now_ms()))).failure
        assert failure is not None
        assert failure.number == "AK3005"
        assert pool.items == []

    run(test)


@pytest.mark.parametrize("sent, number", [(True, "AK3101"), (False, "AK3005")])
@pytest.mark.parametrize("by", ["timeout", "deadline"])
def test_one_that_takes_too_long_is_given_up(sent: bool, number: str, by: str) -> None:
    async def test(runner: TaskRunner, pool: Pool, clock: VirtualClock) -> None:
        time_ms = 10_000 if by == "timeout" else 4_000
        deadline_ms = 0 if by == "timeout" else clock.now_ms() + time_ms
        asked = asyncio.create_task(runner.run(message(deadline_ms)))
        await settle()
        if sent:
            pool.send()
        await clock.advance(time_ms - 1)
        assert not asked.done()
        await clock.advance(1)
        failure = (await asked).failure
        assert failure is not None
        assert failure.number == number
        assert pool.dropped == pool.items
        pool.items[0].tell(Answer(b"late"))

    run(test)


def test_a_caller_that_goes_away_takes_its_call_out() -> None:
    async def test(runner: TaskRunner, pool: Pool, clock: VirtualClock) -> None:
        asked = asyncio.create_task(runner.run(message()))
        await settle()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert pool.dropped == pool.items

    run(test)


class Toil(Workflow[int], id="toil"):
    @command
    def start(self) -> Effect[None]:
        return self.effects.transition_to(self.dig).then_reply(None)

    @step
    def dig(self) -> StepEffect:
        return self.effects.end()


StepTest = Callable[[asyncio.Task[Reply], Pool, VirtualClock], Coroutine[Any, Any, None]]


def dig(test: StepTest) -> None:
    """An attempt of a step that may take 2 s, and may wait as long for a worker."""

    async def inside() -> None:
        pool, clock = Pool(), VirtualClock()
        here: Any = None
        steps = TaskSteps(cast("TaskPool", pool), {"dig": 3}, clock, here)
        asked = Message(
            *(MessageKind.STEP, "toil", "t1", "dig", pack_input(StepInput(timeout_ms=2_000))),
            deadline_ms=clock.now_ms() + 2_000,
        )
        task = asyncio.ensure_future(steps.run(asked))
        await settle()
        await test(task, pool, clock)

    asyncio.run(inside())


def test_a_step_has_all_of_its_time_from_when_a_worker_begins() -> None:  # WF-30
    async def test(task: asyncio.Task[Reply], pool: Pool, clock: VirtualClock) -> None:
        await clock.advance(1_900)
        pool.working = True
        await clock.advance(1_900)
        assert not task.done(), "its deadline has passed, its time has not"
        began_ms = clock.now_ms() - 1_900
        await clock.advance(250)
        outcome = unpack_outcome((await task).payload)
        assert outcome.failed is not None
        assert outcome.failed.failure.message == "step 'dig' did not end within 2 s"
        assert 0 <= outcome.calls_until_ms - began_ms - 1_800 <= 200, "nine tenths for its calls"
        assert pool.dropped == pool.items

    dig(test)


def test_a_step_with_which_no_worker_begins_in_time_was_not_begun() -> None:
    async def test(task: asyncio.Task[Reply], pool: Pool, clock: VirtualClock) -> None:
        pool.send()
        await clock.advance(2_100)
        failure = (await task).failure
        assert failure is not None
        assert failure.number.startswith(NOT_BEGUN), "it does not count as an attempt"
        assert pool.dropped == pool.items

    dig(test)


def test_the_outcome_of_a_step_ends_the_wait() -> None:
    async def test(task: asyncio.Task[Reply], pool: Pool, clock: VirtualClock) -> None:
        pool.items[0].tell(Answer(packed(Reply(b"done"))))
        assert (await task).payload == b"done"

    dig(test)


def test_a_worker_that_dies_on_a_step_may_have_made_calls() -> None:
    async def test(task: asyncio.Task[Reply], pool: Pool, clock: VirtualClock) -> None:
        pool.items[0].tell(Lost(True, "it was killed"))
        outcome = unpack_outcome((await task).payload)
        assert outcome.calls_until_ms == clock.now_ms() + 1_800

    dig(test)


def test_a_workflow_that_has_moved_on_takes_its_step_out() -> None:
    async def test(task: asyncio.Task[Reply], pool: Pool, clock: VirtualClock) -> None:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pool.dropped == pool.items

    dig(test)


class Elsewhere(Action, id="elsewhere", runtime_env={"env_vars": {"A": "1"}}):
    @handler
    async def look(self) -> None: ...


class Model(ValueEntity[int], id="model", hosting=Dedicated(runtime_env={"pip": ["numpy"]})):
    def empty_state(self) -> int:
        return 0

    @query
    def get(self) -> int:
        return self.state


@pytest.mark.parametrize("component", [Elsewhere, Model])
def test_what_ray_cannot_start_is_refused_before_it_begins(component: type[Any]) -> None:
    service = Service("there", components=[component])
    refuse_environments(service.descriptor, "/opt/venv/bin/python")
    with pytest.raises(RayFailed, match=rf"{component.__name__} has a runtime_env.*/my venv"):
        refuse_environments(service.descriptor, "/my venv/bin/python")
