"""The dispatch: from a message to whoever answers it, an actor or an action, and on to the next.

Theory of operation. Everybody in a host who asks something asks here: the HTTP gateway, the clients
of handlers, consumers, timers. A message for an entity goes to the router, which knows the owner of
its shard. A message for an action or a view never leaves the host: its runner runs it, here or in a
task; so do the steps of workflows (messages of the kind STEP).

A reply may be a forward (AC-30): then whoever it names has the answer. It was made when the first
change was durable, so the message is sent at once, with the caller waiting as before. What becomes
of it is the answer; the first change stays in any case, so of one that was not executed the outcome
is unknown (`begun`). A chain of calls and forwards ends at
`call_depth_max` (AK2016), which is told before anything of the last one is started.

A reply may have messages that go before it: what its handler publishes. They are sent first, one
after the other, and where one is not taken, that is the answer; what the handler did stays, so the
outcome is unknown. Whoever handled the message under a key may do so again: topics know ids.

Answers are told from the midst of a host's work (`Tell`), where nothing may be sent; a forward goes
on in the next turn of the loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta
from functools import partial
from typing import Any, Protocol

import msgspec

from actorkalix.engine.action import Elements
from actorkalix.engine.sending import outside_order
from actorkalix.engine.topic import PUBLISH, TOPIC, place_of
from actorkalix.errors import CallsTooDeep
from actorkalix.failures import begun, failure_of
from actorkalix.gateway.prompt import Asking
from actorkalix.limits import Limits
from actorkalix.runtime.in_process import in_time
from actorkalix.runtime.posting import Posting
from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.asked import Asked
from actorkalix_cluster.shardhost.clock import Clock
from actorkalix_cluster.shardhost.messages import Message, MessageKind, Reply
from actorkalix_cluster.shardhost.observer import Observer, SilentObserver
from actorkalix_cluster.shardhost.ticket import Tell

log = logging.getLogger("actorkalix.action")


Prompt = Callable[[Message], Reply | None]


class ActionRunner(Protocol):
    """Runs the handlers of an action."""

    async def run(self, message: Message, elements: Elements | None = None, /) -> Reply:
        """The answer to a message.

        Cancellation: the caller has gone away; the handler is cancelled.
        """
        ...

    def stream(
        self, message: Message, elements: Elements | None = None, /
    ) -> AsyncGenerator[Reply]:
        """The elements of an answer; a failure is the last. Closing it ends the handler."""
        ...


class Steps(Protocol):
    """Runs the steps of a workflow."""

    async def run(self, message: Message, /) -> Reply:
        """The outcome of an attempt.

        Cancellation: the workflow has moved on; the step is cancelled.
        """
        ...


class Listening(Protocol):
    """Follows what workflows tell."""

    def stream(
        self, message: Message, elements: Elements | None = None, /
    ) -> AsyncGenerator[Reply]:
        """What one tells, as it does; a failure is the last."""
        ...


class Pursued(Asked, eq=False):
    """A message that was sent, and whatever it was forwarded to.

    Attributes:
        at: who has it now; None when nobody waits any more.
        forwarded: it was.
    """

    at: Asked | asyncio.Task[None] | None = None
    forwarded: bool = False


class Dispatch:
    """Answers messages, for callers that are tasks (`ask`) or none (`begin`).

    Args:
        actors: answers those for entities.
        clock: whose time deadlines are in.
        limits: of the service.
        outside: names of topics of brokers outside: what is published to them is queued.
        observer: is told of what actions and views have answered; actors tell themselves.
    """

    def __init__(
        self,
        actors: Asking,
        clock: Clock,
        limits: Limits,
        outside: frozenset[str] = frozenset(),
        observer: Observer | None = None,
    ) -> None:
        self._observer = observer or SilentObserver()
        self._outside = outside
        self._actors = Posting(actors, clock)
        self._clock = clock
        self._depth_max = limits.call_depth_max
        self._ask_timeout_ms = limits.ask_timeout // timedelta(milliseconds=1)
        self._runners: dict[str, ActionRunner] = {}
        self._prompts: dict[str, Prompt] = {}
        self._steps: dict[str, Steps] = {}
        self._listening: dict[str, Listening] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, component: str, runner: ActionRunner, prompt: Prompt | None = None) -> None:
        """From now on this one runs the action, or answers for the view.

        Args:
            component: its id.
            runner: answers in a task.
            prompt: answers at once where it can, else gives None.
        """
        self._runners[component] = runner
        if prompt is not None:
            self._prompts[component] = prompt

    def add_steps(self, component: str, runner: Steps) -> None:
        """From now on this one runs the steps of the workflow."""
        self._steps[component] = runner

    def add_listening(self, component: str, runner: Listening) -> None:
        """From now on this one follows the notifications of the workflow."""
        self._listening[component] = runner

    async def ask(self, message: Message, elements: Elements | None = None, /) -> Reply:
        """Send a message and wait for its answer.

        Args:
            message: to send.
            elements: for the handler of an action that takes a stream.

        Cancellation: a message for an entity that was not started is dropped, any other runs to its
        end; the handler of an action is cancelled.
        Durability: all that the answer rests on is on disk.
        """
        reply, forwarded = await self._ask(message, elements), False
        while reply.forward is not None:
            reply, forwarded = await self._ask(self._forwarded(reply.forward), None), True
        return _at_last(reply) if forwarded else reply

    async def _ask(self, message: Message, elements: Elements | None) -> Reply:
        refused = self._refused(message)
        if refused is not None:
            return refused
        if message.kind is MessageKind.STEP:
            return await self._step(message)
        runner = self._runners.get(message.component)
        if runner is None:
            return await self._actors.ask(self._queued(message))
        return await self._ran(runner, message, elements)

    async def _ran(
        self, runner: ActionRunner, message: Message, elements: Elements | None
    ) -> Reply:
        """The answer of a runner, when all that goes before it is done."""
        begun_ms = self._clock.now_ms()
        reply = await self._whole(await runner.run(message, elements))
        number = "" if reply.failure is None else reply.failure.number
        seconds = max(0, self._clock.now_ms() - begun_ms) / 1_000
        self._observer.handled(message.component, message.method, seconds, number)
        return reply

    async def _step(self, message: Message) -> Reply:
        steps = self._steps.get(message.component)
        if steps is None:
            return Reply(failure=failures.unknown_component(message.component))
        return await steps.run(message)

    async def stream(
        self, message: Message, elements: Elements | None = None, /
    ) -> AsyncGenerator[Reply]:
        """Send a message and give the elements of its answer; a failure is the last.

        Cancellation: the handler is cancelled; so it is when this is closed.
        """
        refused = self._refused(message)
        runner = self._runners.get(message.component) or self._listening.get(message.component)
        if refused is None and runner is None:
            refused = Reply(failure=failures.unknown_component(message.component))
        if refused is not None or runner is None:
            yield refused or Reply()
            return
        async with aclosing(runner.stream(message, elements)) as replies:
            async for reply in replies:
                yield reply

    # ---- for callers that are no tasks ----------------------------------------------------
    def begin(self, message: Message, tell: Tell, /) -> Reply | Asked:
        """Send a message: its answer where it is there at once, else `tell` gets it."""
        return self._go(Pursued(tell), message)

    def drop(self, asked: Asked, /) -> None:
        """Nobody waits any more; see `ask`, "Cancellation"."""
        assert isinstance(asked, Pursued), "it was begun here"
        asked.forget()
        at, asked.at = asked.at, None
        if isinstance(at, asyncio.Task):
            at.cancel()
        elif at is not None:
            self._actors.drop(at)

    def _go(self, pursued: Pursued, message: Message) -> Reply | Pursued:
        if message.depth > self._depth_max and (refused := self._refused(message)) is not None:
            return refused
        if message.kind is MessageKind.STEP:
            pursued.at = self._spawn(self._run(pursued, message, partial(self._step, message)))
            return pursued
        runner = self._runners.get(message.component)
        if runner is not None:
            prompt = self._prompts.get(message.component)
            if prompt is not None and (at_once := prompt(message)) is not None:
                return at_once
            run = partial(self._ran, runner, message, None)
            pursued.at = self._spawn(self._run(pursued, message, run))
            return pursued
        queued = self._queued(message) if self._outside else message
        answer = self._actors.begin(queued, partial(self._told, pursued))
        if isinstance(answer, Asked):
            pursued.at = answer
            return pursued
        if answer.forward is None:
            return answer
        pursued.forwarded = True
        last = self._go(pursued, self._forwarded(answer.forward))
        return _at_last(last) if isinstance(last, Reply) else last

    def _told(self, pursued: Pursued, reply: Reply) -> None:
        if reply.forward is None:
            pursued.tell(_at_last(reply) if pursued.forwarded else reply)
        else:
            pursued.forwarded = True
            asyncio.get_running_loop().call_soon(self._follow, pursued, reply.forward)

    def _follow(self, pursued: Pursued, forward: Message) -> None:
        if pursued.at is None:
            return  # nobody waits any more
        answer = self._go(pursued, self._forwarded(forward))
        if isinstance(answer, Reply):
            pursued.tell(_at_last(answer))

    async def _run(
        self, pursued: Pursued, message: Message, run: Callable[[], Awaitable[Reply]]
    ) -> None:
        # Called in here, for a task that is cancelled before it begins would never await it.
        try:
            reply = await run()
        except (Exception, GeneratorExit):  # one that a handler has raised
            log.exception("a bug of actorkalix, correlation id %s", message.correlation_id)
            reply = Reply(failure=failures.bug(message.correlation_id))
        self._told(pursued, reply)

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _whole(self, reply: Reply) -> Reply:
        """A reply when all that goes before it is done."""
        for message in reply.before:
            answer = await self._actors.ask(self._queued(self._forwarded(message)))
            if answer.failure is not None:
                return Reply(failure=msgspec.structs.replace(answer.failure, outcome="unknown"))
        return msgspec.structs.replace(reply, before=()) if reply.before else reply

    # ---- small things ----------------------------------------------------------------------
    def _queued(self, message: Message) -> Message:
        """A message, or the one that queues it where it publishes to a topic outside."""
        if not self._outside or message.component != TOPIC or message.method != PUBLISH:
            return message
        topic, _ = place_of(message.entity)
        return outside_order(message) if topic in self._outside else message

    def _refused(self, message: Message) -> Reply | None:
        if message.depth <= self._depth_max:
            return None
        return Reply(
            failure=failure_of(
                CallsTooDeep(
                    f"{message.component}.{message.method} was called at depth {message.depth}, "
                    f"call_depth_max is {self._depth_max}: is there a circle of calls?"
                )
            )
        )

    def _forwarded(self, message: Message) -> Message:
        """A forward; a handler that had an hour has not an hour for an entity."""
        return in_time(message, self._clock.now_ms() + self._ask_timeout_ms)

    async def aclose(self) -> None:
        """Cancel the handlers that were begun and still run."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def _at_last(reply: Reply) -> Reply:
    """The answer of one to whom it was forwarded."""
    if reply.failure is None:
        return reply
    return msgspec.structs.replace(reply, failure=begun(reply.failure))
