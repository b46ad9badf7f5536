"""The runner of steps, from a host's side: coroutines on its loop, plain functions elsewhere.

A STEP message is answered with a `StepOutcome` always, also when the attempt failed; a failure in
its place says that the attempt was not begun. An attempt ends by its own doing, at its deadline,
which cancels it, or when whoever asked goes away, because the workflow has moved on: then it is
cancelled too, and nobody is told.

What an attempt that does not end leaves behind: a coroutine is cancelled; a thread runs on, and its
calls are refused, for they are past their deadline; a task is interrupted, and its worker killed
where that does not help (`TaskPool.drop`). A coroutine that blocks the loop is named by the
watchdog, for it is told whenever one of them runs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Generator
from typing import Any

import msgspec

from actorkalix.describe.descriptors import ComponentDescriptor, ServiceDescriptor
from actorkalix.engine.action import Threads
from actorkalix.engine.replies import raised
from actorkalix.engine.step import StepCode
from actorkalix.engine.workflow_messages import (
    StepFailed,
    StepOutcome,
    pack_outcome,
    unpack_input,
)
from actorkalix.errors import HandlerFailed, OutcomeUnknown
from actorkalix.failures import failure_of
from actorkalix.model.client import Client
from actorkalix.model.component import Live
from actorkalix.model.timers import Timers
from actorkalix.runtime.actions import Surroundings, in_thread, report
from actorkalix.runtime.dispatch import Dispatch
from actorkalix.runtime.in_process import HandlerTransport
from actorkalix.runtime.notifying import Listeners, listens
from actorkalix.runtime.step_calls import SHARE, Branches, StepAsk, StepKeys
from actorkalix.runtime.timing import HostTimers
from actorkalix.runtime.until import Until
from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.messages import Message, Reply
from actorkalix_cluster.shardhost.watchdog import Watch

log = logging.getLogger("actorkalix.workflow")


class InlineSteps:
    """Runs coroutines on this loop, and plain functions in threads.

    Args:
        workflow: its descriptor.
        around: what its steps live in.
        threads: where plain functions run.
        passing: exceptions that end whatever runs the step, besides its cancellation.
        watch: is told which step has the loop.
        told: tells of fields that steps set.
        from_begin: the time of a step counts from when it begins here, however long it has waited
            for that; it does not begin after its message's deadline.
    """

    def __init__(
        self,
        workflow: ComponentDescriptor,
        around: Surroundings,
        *,
        threads: Threads[Any] | None = None,
        passing: tuple[type[BaseException], ...] = (),
        watch: Watch | None = None,
        told: FieldsTold | None = None,
        from_begin: bool = False,
    ) -> None:
        self._from_begin = from_begin
        self._code = StepCode(
            workflow,
            around.limits,
            report=report,
            passing=(asyncio.CancelledError, GeneratorExit, *passing),  # see `_Watched`
            threads=threads or around.threads or in_thread,
            fields=told,
        )
        self._around = around
        self._watch = watch

    async def run(self, message: Message, /) -> Reply:
        """The outcome of an attempt.

        Cancellation: cancels the step.
        """
        now_ms = self._around.clock.now_ms()
        if self._from_begin:
            if now_ms > message.deadline_ms:
                return Reply(failure=failures.deadline_passed())
            timeout_ms = unpack_input(message.payload).timeout_ms
            message = msgspec.structs.replace(message, deadline_ms=now_ms + timeout_ms)
        left_ms = message.deadline_ms - now_ms
        calls_until_ms = message.deadline_ms - left_ms + int(left_ms * SHARE)
        ask = StepAsk(self._around.ask, message, calls_until_ms)
        outcome = await self._attempt(message, ask, left_ms)
        if outcome.failed is not None:
            outcome = msgspec.structs.replace(outcome, calls_until_ms=ask.open_until_ms)
        return Reply(pack_outcome(outcome))

    async def _attempt(self, message: Message, ask: StepAsk, left_ms: int) -> StepOutcome:
        until = Until(self._around.clock, max(0, left_ms))
        live = Live()
        try:
            with until:
                try:
                    await self._enliven(live, message, ask)
                    return await self._watched(message, live)
                except asyncio.CancelledError as problem:
                    if until.cancelled():
                        raise
                    return self._code.failed(problem, message, live.noted)  # by itself
        except HandlerFailed as problem:
            return self._code.failed(problem, message, live.noted)
        except TimeoutError:
            which = f"step {message.method!r} of {message.component} {message.entity!r}"
            late = OutcomeUnknown(f"{which} did not end within {left_ms / 1000:g} s")
            return self._code.failed(late, message, live.noted)

    async def _watched(self, message: Message, live: Live) -> StepOutcome:
        now_ms = self._around.clock.now_ms
        return await _Watched(self._code.run(message, live), self._watch, now_ms, message)

    async def _enliven(self, live: Live, message: Message, ask: StepAsk) -> None:
        """What the step sees, besides its state."""
        around, loop = self._around, asyncio.get_running_loop()
        live.resources = await around.resources.get()
        left_ms = message.deadline_ms - around.clock.now_ms()
        transport = HandlerTransport(ask, around.clock, message, left_ms)
        keys = StepKeys(message)
        live.client = Client._over(transport, sleep=around.sleep, loop=loop, prepare=keys)
        live.timers = Timers(HostTimers(ask, around.clock, message))
        live.parallel = Branches(transport, keys, around.sleep, loop)


class _Watched(Generator[Any, Any, StepOutcome]):
    """Runs a coroutine, and writes down for the watchdog when it has the loop.

    Whoever closes a coroutine that waits throws GeneratorExit into it, and it has to let that pass.
    One that comes out of a step which was not closed is the step's own: an error like any other.
    """

    def __init__(
        self,
        work: Coroutine[Any, Any, StepOutcome],
        watch: Watch | None,
        now_ms: Callable[[], int],
        message: Message,
    ) -> None:
        self._work = work
        self._watch = watch
        self._now_ms = now_ms
        self._message = message

    def __await__(self) -> Generator[Any, Any, StepOutcome]:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any, /) -> Any:
        """Let it run until it waits."""
        self._begin()
        try:
            return self._work.send(value)
        except GeneratorExit as problem:
            raise self._own(problem) from problem
        finally:
            self._end()

    def throw(self, problem: Any, value: Any = None, traceback: Any = None, /) -> Any:
        """Let it run with an exception where it waits; it may have been cancelled."""
        self._begin()
        try:
            return self._work.throw(problem if value is None else value)
        except GeneratorExit as own:
            raise self._own(own) from own
        finally:
            self._end()

    def _begin(self) -> None:
        if self._watch is not None:
            self._watch.work = (self._now_ms(), self._message)

    def _end(self) -> None:
        if self._watch is not None:
            self._watch.work = None

    def _own(self, problem: GeneratorExit) -> HandlerFailed:
        return HandlerFailed(raised(f"{self._message.component}.{self._message.method}", problem))

    def close(self) -> None:
        """End it where it waits."""
        self._work.close()


class FieldsTold:
    """Warns of steps that set fields of `self`: each step once.

    Args:
        tell: is told of it too, by a test kit.
    """

    def __init__(self, tell: Callable[[str], object] | None = None) -> None:
        self._tell = tell
        self._told: set[tuple[str, str]] = set()

    def __call__(self, message: Message, names: tuple[str, ...]) -> None:
        step = (message.component, message.method)
        if step in self._told:
            return
        self._told.add(step)
        said = (
            f"step {message.method!r} of {message.component} sets self.{', self.'.join(names)}, "
            "which is gone when it ends: a new object is made for each step; "
            "keep it in the state (effects.update_state)"
        )
        log.warning(said)
        if self._tell is not None:
            self._tell(said)


def failed_outcome(failure_text: str, *, calls_until_ms: int) -> Reply:
    """The answer for an attempt of which nobody knows what it has done."""
    failure = failure_of(OutcomeUnknown(failure_text))
    failed = StepFailed(failure, ("OutcomeUnknown", "ActorkalixError", "Exception"))
    return Reply(pack_outcome(StepOutcome(failed=failed, calls_until_ms=calls_until_ms)))


def run_steps(
    dispatch: Dispatch,
    service: ServiceDescriptor,
    around: Surroundings,
    *,
    watch: Watch | None = None,
    told: FieldsTold | None = None,
) -> dict[str, InlineSteps]:
    """Have the steps of a service run, and its notifications followed, in this process.

    Returns:
        The runners of steps by workflow.
    """
    runners = {
        one.component_id: InlineSteps(one, around, watch=watch, told=told)
        for one in service.components.values()
        if one.kind == "workflow"
    }
    for component, runner in runners.items():
        dispatch.add_steps(component, runner)
        if listens(workflow := service.components[component]):
            dispatch.add_listening(component, Listeners(workflow, around))
    return runners
