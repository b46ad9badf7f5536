"""Actions and steps as Ray tasks, from the host's side: runners for the dispatch over one pool.

A handler ends by its reply, its own timeout (AC-06), the deadline of its message, or when its
caller goes away; in the last three it is taken out of the queue, or interrupted where it runs. The
host's clock counts, and waiting for a slot counts too. Streams run on the host's loop, as inline
actions do: their elements would be a call of Ray's each.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import timedelta
from typing import Any

import msgspec

from actorkalix.describe.actions import timeout_of
from actorkalix.describe.descriptors import (
    ComponentDescriptor,
    ServiceDescriptor,
    StepDescriptor,
)
from actorkalix.engine.action import Elements
from actorkalix.engine.workflow_messages import unpack_input
from actorkalix.errors import RayFailed
from actorkalix.limits import Limits
from actorkalix.ports import Ask
from actorkalix.runtime.actions import InlineRunner
from actorkalix.runtime.composition import dedicated_components
from actorkalix.runtime.dispatch import Dispatch
from actorkalix.runtime.orders import HostConfig
from actorkalix.runtime.step_calls import SHARE
from actorkalix.runtime.steps import InlineSteps, failed_outcome
from actorkalix.runtime.task_messages import WorkerConfig, message_in, packed, reply_in
from actorkalix.runtime.until import Until
from actorkalix_cluster.rayhost.batching import Answer, Item, Lost, Outcome
from actorkalix_cluster.rayhost.errands import METHOD, Crew
from actorkalix_cluster.rayhost.tasks import TaskOptions, TaskPool
from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.clock import Clock
from actorkalix_cluster.shardhost.messages import Failure, Message, Reply

log = logging.getLogger("actorkalix.tasks")

FACTORY = "actorkalix.runtime.task_worker:action_work"
_MS = timedelta(milliseconds=1)
LOOK_MS = (
    100  # until a host looks whether a worker has begun with a step; a look reads one small file
)
BEGIN_SLACK_MS = (
    50  # more than a worker needs from its look at the clock to its note that it begins
)


def task_actions(service: ServiceDescriptor) -> list[ComponentDescriptor]:
    """Those that run as tasks."""
    return [
        each
        for each in service.components.values()
        if each.kind == "action" and each.options.get("runs", "task") == "task"
    ]


def task_steps(service: ServiceDescriptor) -> dict[tuple[str, str], StepDescriptor]:
    """Steps that run as tasks, by component and name: those that are plain functions."""
    return {
        (each.component_id, name): step
        for each in service.components.values()
        for name, step in each.steps.items()
        if not step.is_async
    }


def refuse_environments(service: ServiceDescriptor, python: str) -> None:
    """Refuse what Ray cannot do: it starts workers with a runtime_env by way of a shell.

    Args:
        service: whose actions, steps and dedicated entities may have one.
        python: path of the interpreter.

    Raises:
        RayFailed: the path has a blank, and one of them has a runtime_env.
    """
    found = [each.cls.__name__ for each in task_actions(service) if "runtime_env" in each.options]
    found += [
        f"{component}.{name}"
        for (component, name), step in task_steps(service).items()
        if "runtime_env" in step.resources
    ]
    found += [
        service.components[name].cls.__name__
        for name, hosting in dedicated_components(service).items()
        if hosting.runtime_env
    ]
    if found and any(char.isspace() for char in python):
        raise RayFailed(
            f"{', '.join(found)} has a runtime_env, and Ray cannot start workers with one where "
            f"Python lies below a path with a blank: {python}; install it elsewhere"
        )


class ActionTasks:
    """The tasks of a service's actions and steps; made on the host's loop.

    Args:
        service: whose.
        limits: of the service.
        config: what the host was told to be; workers are made likewise.
        ask: answers the calls that handlers make.
        clock: whose time deadlines are in.
    """

    def __init__(
        self,
        service: ServiceDescriptor,
        limits: Limits,
        config: HostConfig,
        ask: Ask,
        clock: Clock,
    ) -> None:
        assert config.making is not None, "a host of a run"
        self._ask = ask
        self._clock = clock
        self._limits = limits
        self._actions = task_actions(service)
        self._options = {each.component_id: options_of(each.options) for each in self._actions}
        steps = task_steps(service)
        self._steps = {key: options_of(step.resources) for key, step in steps.items()}
        groups = (*self._options.values(), *self._steps.values())
        self._groups = list(dict.fromkeys(groups))
        self._pool = TaskPool(
            Crew(FACTORY, msgspec.msgpack.encode(WorkerConfig(config.spec)), config.making),
            self._groups,
            slots=len(os.sched_getaffinity(0)) * limits.tasks_per_core_max,
            queue_max=limits.tasks_waiting_max,
            depth_max=limits.call_depth_max,
            answer=self._answer,
            name=service.name,
        )
        self.methods = {METHOD: self._pool.exchange}

    async def start(
        self,
        dispatch: Dispatch,
        streams: Mapping[str, InlineRunner],
        steps: Mapping[str, InlineSteps],
    ) -> None:
        """Have workers ready; from then on they run actions and steps.

        Args:
            dispatch: is told of the runners.
            streams: runners of streams, by action.
            steps: runners of steps that are coroutines, by workflow.
        """
        await self._pool.start()
        for action in self._actions:
            group = self._groups.index(self._options[action.component_id])
            runner = TaskRunner(
                action, self._pool, group, self._clock, self._limits, streams[action.component_id]
            )
            dispatch.add(action.component_id, runner)
        for component, here in steps.items():
            groups = {
                name: self._groups.index(options)
                for (workflow, name), options in self._steps.items()
                if workflow == component
            }
            if groups:
                dispatch.add_steps(component, TaskSteps(self._pool, groups, self._clock, here))

    def close(self) -> None:
        """Interrupt what runs."""
        self._pool.close()

    async def _answer(self, text: bytes) -> bytes:
        try:
            message = message_in(text)
        except Exception:
            log.exception("a bug of actorkalix: what a worker asks cannot be read")
            return packed(Reply(failure=failures.bug("")))
        try:
            return packed(await self._ask.ask(message))
        except Exception:
            log.exception("a bug of actorkalix, correlation id %s", message.correlation_id)
            return packed(Reply(failure=failures.bug(message.correlation_id)))


class TaskRunner:
    """`ActionRunner` of an action that runs as tasks.

    Args:
        action: its descriptor.
        pool: where tasks run.
        group: place of its options there.
        clock: whose time deadlines are in.
        limits: of the service.
        streams: runs the handlers that stream.
    """

    def __init__(
        self,
        action: ComponentDescriptor,
        pool: TaskPool,
        group: int,
        clock: Clock,
        limits: Limits,
        streams: InlineRunner,
    ) -> None:
        self._pool = pool
        self._group = group
        self._clock = clock
        self._timeout_ms = timeout_of(action.options, limits.action_timeout) // _MS
        self._retries: int = action.options.get("max_retries", 0)
        self._streams = streams

    async def run(self, message: Message, elements: Elements | None = None, /) -> Reply:
        """The answer to a message.

        Cancellation: takes the call out, or interrupts its handler.
        """
        left_ms = self._time_left_ms(message)
        if left_ms <= 0:
            return Reply(failure=failures.deadline_passed())
        told: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        method = f"{message.component}.{message.method}"
        item = Item(packed(message), method, message.depth, _teller(told), self._retries)
        if not self._pool.submit(self._group, item):
            return Reply(failure=failures.overloaded(f"too many calls wait for {method}"))
        try:
            with Until(self._clock, left_ms):
                outcome = await told
        except asyncio.CancelledError:
            self._pool.drop(self._group, item)
            raise
        except TimeoutError:
            self._pool.drop(self._group, item)
            late = item.batch is None and not item.begun
            unknown = failures.outcome_unknown(f"{method} did not reply in time")
            return Reply(failure=failures.deadline_passed() if late else unknown)
        if isinstance(outcome, Answer):
            return reply_in(outcome.value)
        return Reply(failure=failure_of_lost(method, outcome))

    def stream(
        self, message: Message, elements: Elements | None = None, /
    ) -> AsyncGenerator[Reply]:
        """The elements of an answer; a failure is the last."""
        return self._streams.stream(message, elements)

    def _time_left_ms(self, message: Message) -> int:
        if not message.deadline_ms:
            return self._timeout_ms
        return min(self._timeout_ms, message.deadline_ms - self._clock.now_ms())


class TaskSteps:
    """Runs the steps of a workflow: plain functions as tasks, coroutines on the host's loop.

    Args:
        pool: where tasks run.
        groups: place of their options there, by step; others are coroutines.
        clock: whose time deadlines are in.
        here: runs those, and steps that the code has not (any more).
    """

    def __init__(
        self, pool: TaskPool, groups: Mapping[str, int], clock: Clock, here: InlineSteps
    ) -> None:
        self._pool = pool
        self._groups = groups
        self._clock = clock
        self._here = here

    async def run(self, message: Message, /) -> Reply:
        """The outcome of an attempt.

        Cancellation: takes the step out, or interrupts it.
        """
        group = self._groups.get(message.method)
        if group is None:
            return await self._here.run(message)
        told: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        method = f"{message.component}.{message.method}"
        item = Item(packed(message), method, message.depth, _teller(told), 0)
        if not self._pool.submit(group, item):
            return Reply(failure=failures.overloaded(f"too many calls wait for {method}"))
        timeout_ms, begun_ms = unpack_input(message.payload).timeout_ms, 0
        begin_ms = message.deadline_ms + BEGIN_SLACK_MS
        try:
            while not await self._told(told, begun_ms + timeout_ms if begun_ms else begin_ms):
                now_ms = self._clock.now_ms()
                if not begun_ms and self._pool.begun(group, item):
                    begun_ms = now_ms
                elif now_ms >= (begun_ms + timeout_ms if begun_ms else begin_ms):
                    break
        except asyncio.CancelledError:
            self._pool.drop(group, item)
            raise
        calls_until_ms = (begun_ms or self._clock.now_ms()) + int(timeout_ms * SHARE)
        if not told.done():
            self._pool.drop(group, item)
            if not begun_ms:
                return Reply(failure=failures.deadline_passed())
            said = f"step {message.method!r} did not end within {timeout_ms / 1000:g} s"
            return failed_outcome(said, calls_until_ms=calls_until_ms)
        outcome = told.result()
        if isinstance(outcome, Answer):
            return reply_in(outcome.value)
        if not outcome.started:
            return Reply(failure=failure_of_lost(method, outcome))
        said = f"step {message.method!r} was running when {outcome.reason}"
        return failed_outcome(said, calls_until_ms=calls_until_ms)

    async def _told(self, told: asyncio.Future[Outcome], until_ms: int) -> bool:
        """Wait for an outcome until then, or until it is time to look whether it has begun."""
        left_ms = min(LOOK_MS, until_ms - self._clock.now_ms())
        with contextlib.suppress(TimeoutError), Until(self._clock, max(0, left_ms)):
            await asyncio.wait((told,))
        return told.done()


def failure_of_lost(method: str, lost: Lost) -> Failure:
    """What a caller is told whose task has no answer."""
    if lost.started:
        return failures.outcome_unknown(f"{method} was running when {lost.reason}")
    return failures.overloaded(f"{method} could not be started: {lost.reason}")


def options_of(options: Mapping[str, Any]) -> TaskOptions:
    """What tasks need of Ray, from the options of an action or step."""
    runtime_env = options.get("runtime_env")
    return TaskOptions(
        options.get("num_cpus", 0),
        options.get("num_gpus", 0),
        options.get("memory") or 0,
        msgspec.json.encode(runtime_env, order="deterministic").decode() if runtime_env else "",
    )


def _teller(told: asyncio.Future[Outcome]) -> Callable[[Outcome], None]:
    def tell(outcome: Outcome) -> None:
        if not told.done():
            told.set_result(outcome)

    return tell
