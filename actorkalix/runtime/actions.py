"""Actions on a host's own loop: slots, time limits, and what their handlers see.

A handler ends by its reply, its own timeout (AC-06), the deadline of its message, or when its
caller goes away; in the last three it is cancelled. Nothing waits for a slot: who finds none is
refused (AK3001), so calls that lead to one another cannot lock each other out.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from datetime import timedelta
from typing import Any, TypeVar

import msgspec

from actorkalix.describe.actions import timeout_of
from actorkalix.describe.descriptors import ComponentDescriptor, ServiceDescriptor
from actorkalix.engine import ActionCode
from actorkalix.engine.action import Elements, Threads
from actorkalix.engine.requests import keyed
from actorkalix.errors import HandlerFailed
from actorkalix.limits import Limits
from actorkalix.model.client import Client
from actorkalix.model.component import Live
from actorkalix.model.timers import Timers
from actorkalix.model.transport import Request
from actorkalix.ports import Ask
from actorkalix.runtime.dispatch import Dispatch
from actorkalix.runtime.handling import Noting, Watched
from actorkalix.runtime.in_process import HandlerTransport
from actorkalix.runtime.resources import Resources
from actorkalix.runtime.timing import HostTimers
from actorkalix.runtime.until import Until
from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.clock import Clock
from actorkalix_cluster.shardhost.messages import Failure, Message, Reply
from actorkalix_cluster.shardhost.watchdog import Watch

log = logging.getLogger("actorkalix.action")

T = TypeVar("T")
_MS = timedelta(milliseconds=1)


class Surroundings(msgspec.Struct, frozen=True):
    """What the handlers of a process live in.

    Attributes:
        ask: answers the calls that they make.
        clock: whose time deadlines are in.
        limits: of the service.
        resources: of the process.
        sleep: waits a number of seconds, between two attempts of a call.
        threads: where plain functions run; each in a thread of its own when not given.
        watch: of the host whose loop the handlers run on; None where nobody watches.
    """

    ask: Ask
    clock: Clock
    limits: Limits
    resources: Resources
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    threads: Threads[Any] | None = None
    watch: Watch | None = None

    async def live(self, message: Message) -> Live:
        """What the handler of a message sees.

        Raises:
            HandlerFailed: the resources could not be made.
        """
        resources = await self.resources.get()
        timers = Timers(HostTimers(self.ask, self.clock, message))
        return Live(client=self.client(message), timers=timers, resources=resources)

    def client(self, message: Message) -> Client:
        """A client whose calls are caused by a message; in threads too, by `.result()`."""
        timeout_ms = self.limits.ask_timeout // _MS
        transport = HandlerTransport(self.ask, self.clock, message, timeout_ms)
        numbers = itertools.count()

        def prepare(request: Request) -> Request:
            return keyed(message, request, next(numbers))

        return Client._over(
            transport,
            sleep=self.sleep,
            loop=asyncio.get_running_loop(),
            prepare=prepare,
        )


class Slots:
    """How many handlers run at once on a host.

    Args:
        slots_max: how many may.

    Attributes:
        used: how many do.
    """

    def __init__(self, slots_max: int) -> None:
        self._max = slots_max
        self.used = 0

    @property
    def full(self) -> bool:
        """One more would be too many."""
        return self.used >= self._max

    def __enter__(self) -> None:
        self.used += 1

    def __exit__(self, *exc: object) -> None:
        self.used -= 1


class InlineRunner:
    """`ActionRunner` of an action whose handlers run on this loop, plain functions in threads.

    Args:
        action: its descriptor.
        around: what its handlers live in.
        slots: of the host.
        threads: where plain functions run.
    """

    def __init__(
        self,
        action: ComponentDescriptor,
        around: Surroundings,
        slots: Slots,
        *,
        threads: Threads[Any] | None = None,
    ) -> None:
        self._code = ActionCode(action, around.limits, report=report, threads=threads or in_thread)
        self._timeout = timeout_of(action.options, around.limits.action_timeout)
        self._around = around
        self._slots = slots

    async def run(self, message: Message, elements: Elements | None = None, /) -> Reply:
        """The answer to a message.

        Cancellation: cancels the handler.
        """
        refused = self._refused(message)
        if refused is not None:
            return Reply(failure=refused)
        until = Until(self._around.clock, self._time_left_ms(message))
        try:
            with self._slots, until:
                try:
                    noting = Noting(self._around.ask)
                    around = msgspec.structs.replace(self._around, ask=noting)
                    work = self._code.run(message, await around.live(message), elements)
                    return noting.whole(await self._watched(work, message))
                except asyncio.CancelledError as problem:
                    if until.cancelled():
                        raise
                    report(message, problem)  # it cancelled itself
                    return Reply(failure=failures.unexpected(message.correlation_id))
        except HandlerFailed as problem:
            report(message, problem)
            return Reply(failure=failures.unexpected(message.correlation_id))
        except TimeoutError:
            return Reply(failure=self._too_late(message))

    async def _watched(self, work: Coroutine[Any, Any, Reply], message: Message) -> Reply:
        watch = self._around.watch
        if watch is None:
            return await work
        return await Watched(work, message, watch, self._around.clock)

    async def stream(
        self, message: Message, elements: Elements | None = None, /
    ) -> AsyncGenerator[Reply]:
        """The elements of an answer; a failure is the last. Only its caller ends it early."""
        refused = self._refused(message)
        if refused is not None:
            yield Reply(failure=refused)
            return
        with self._slots:
            try:
                live = await self._around.live(message)
            except HandlerFailed as problem:
                report(message, problem)
                yield Reply(failure=failures.unexpected(message.correlation_id))
                return
            async with aclosing(self._code.stream(message, live, elements)) as replies:
                async for reply in replies:
                    yield reply

    def _refused(self, message: Message) -> Failure | None:
        if message.deadline_ms and self._around.clock.now_ms() > message.deadline_ms:
            return failures.deadline_passed()
        watch = self._around.watch
        if watch is not None and message.component in watch.off:
            return failures.component_blocked(message.component)
        if self._slots.full:
            return failures.overloaded("too many handlers of actions run")
        return None

    def _time_left_ms(self, message: Message) -> int:
        timeout_ms = self._timeout // _MS
        if not message.deadline_ms:
            return timeout_ms
        return max(0, min(timeout_ms, message.deadline_ms - self._around.clock.now_ms()))

    def _too_late(self, message: Message) -> Failure:
        deadline_ms = message.deadline_ms
        if deadline_ms and self._around.clock.now_ms() >= deadline_ms:
            return failures.outcome_unknown("no answer came in time")
        which = f"{message.component}.{message.method}"
        return failures.outcome_unknown(f"{which} did not reply within {self._timeout}")


def run_inline(
    dispatch: Dispatch, service: ServiceDescriptor, around: Surroundings
) -> dict[str, InlineRunner]:
    """Have the actions of a service run on this loop; gives their runners by action."""
    slots = Slots(around.limits.actions_max)
    runners = {
        action.component_id: InlineRunner(action, around, slots, threads=around.threads)
        for action in service.components.values()
        if action.kind == "action"
    }
    for component, runner in runners.items():
        dispatch.add(component, runner)
    return runners


def report(message: Message, problem: BaseException) -> None:
    """Log that a handler failed."""
    which = f"{message.component} {message.entity!r}" if message.entity else message.component
    log.error(
        "%s.%s failed, correlation id %s",
        *(which, message.method, message.correlation_id),
        exc_info=problem,
    )


async def in_thread(work: Callable[[], T]) -> T:
    """Call a function in a thread of its own.

    A pool would not do: its threads may all wait for calls whose handlers want a thread too.

    Cancellation: the function runs on; nobody waits for it.
    """
    context = contextvars.copy_context()
    executor = ThreadPoolExecutor(1, "actorkalix-action")
    running = executor.submit(context.run, work)
    executor.shutdown(wait=False)
    return await asyncio.wrap_future(running)
