"""The calls of a step: their deadlines, their keys, those nobody has an answer of, and branches.

Theory of operation. A call that a step has given up may still take effect later, after what the
workflow does about the failure; so calls carry a deadline (an actor takes nothing that is past it),
which is earlier than the attempt's by a tenth, and the runner reports until when calls without an
answer may count (`StepAsk.open_until_ms`). The keys of calls follow from the step, not from the
attempt, so that a call made again by the next attempt counts once. They are counted by their
target, so that attempts that differ in other calls agree on these.

Branches (`self.parallel`) start in the order in which they are written, so their keys are the same
in each attempt, and a branch that is tried again has the key that it had.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import msgspec

from actorkalix.describe import descriptor_of
from actorkalix.engine.requests import keyed
from actorkalix.errors import NotInThisVersion, StepCallsItself
from actorkalix.model.parallel import Branch, Wait
from actorkalix.model.transport import Request
from actorkalix.model.workflows import CONTROLS
from actorkalix.ports import Ask, AskStreams
from actorkalix.runtime.connection import Sleep, send_with_retries, wait_on
from actorkalix.runtime.in_process import HandlerTransport
from actorkalix_cluster.shardhost.messages import Message, MessageKind, Reply

SHARE = 0.9  # of an attempt's time for its calls: the rest is left to say what became of them


class StepAsk:
    """`Ask` of one attempt: sends its calls on, and knows which of them have no answer.

    Args:
        ask: answers messages.
        step: the STEP message.
        until_ms: deadline of the calls.
    """

    def __init__(self, ask: Ask, step: Message, until_ms: int) -> None:
        self._ask = ask
        self._step = step
        self._until_ms = until_ms
        self._numbers = itertools.count()
        self._open: dict[int, int] = {}

    @property
    def open_until_ms(self) -> int:
        """Until then calls without an answer may take effect; 0 when there are none."""
        return max(self._open.values(), default=0)

    async def ask(self, message: Message, elements: AsyncIterator[bytes] | None = None, /) -> Reply:
        """Send a message and wait for its answer.

        Raises:
            StepCallsItself: it is a command to the step's own workflow.
        """
        number, message = self._begun(message)
        if elements is None:
            reply = await self._ask.ask(message)
        else:
            reply = await self._streams(message).ask(message, elements)
        if reply.failure is None or reply.failure.outcome != "unknown":
            del self._open[number]
        return reply

    async def stream(
        self, message: Message, elements: AsyncIterator[bytes] | None = None, /
    ) -> AsyncGenerator[Reply]:
        """Send a message and give the elements of its answer."""
        number, message = self._begun(message)
        async with aclosing(self._streams(message).stream(message, elements)) as replies:
            async for reply in replies:
                yield reply
        del self._open[number]

    def _begun(self, message: Message) -> tuple[int, Message]:
        step = self._step
        to_itself = (message.component, message.entity) == (step.component, step.entity)
        waits = message.kind is MessageKind.COMMAND and message.method not in CONTROLS
        if to_itself and waits:
            raise StepCallsItself(
                f"step {step.method!r} of {step.component} {step.entity!r} waits for "
                f"{message.method!r} of the same workflow, which waits for the step to end"
            )
        if not message.deadline_ms or message.deadline_ms > self._until_ms:
            message = msgspec.structs.replace(message, deadline_ms=self._until_ms)
        number = next(self._numbers)
        if message.kind is not MessageKind.QUERY:
            self._open[number] = message.deadline_ms
        else:
            self._open[number] = 0
        return number, message

    def _streams(self, message: Message) -> AskStreams:
        if isinstance(self._ask, AskStreams):
            return self._ask
        raise NotInThisVersion(f"{message.method}: streams are not asked for from here")


class StepKeys:
    """Gives the calls of a step their keys.

    Args:
        step: the STEP message; its key is the root.
    """

    def __init__(self, step: Message) -> None:
        self._step = step
        self._made: Counter[tuple[str, str, str]] = Counter()

    def __call__(self, request: Request) -> Request:
        """The call with its key, unless it has one of its own."""
        component = descriptor_of(request.component).component_id
        target = (component, request.entity_id or "", request.method)
        nth = self._made[target]
        self._made[target] += 1
        return keyed(self._step, request, nth)

    @property
    def root(self) -> str:
        """From which the keys are derived; the same for all attempts of a step."""
        return self._step.key


class Branches:
    """`Parallel` of one attempt.

    Args:
        transport: carries the calls.
        keys: of the attempt.
        sleep: waits a number of seconds between two attempts of a branch.
        loop: on which branches run.
        jitter: a number from 0 to 1; when not given it follows from the step, so that a simulation
            is the same each time.
    """

    def __init__(
        self,
        transport: HandlerTransport,
        keys: StepKeys,
        sleep: Sleep,
        loop: asyncio.AbstractEventLoop,
        *,
        jitter: Callable[[], float] | None = None,
    ) -> None:
        self._transport = transport
        self._keys = keys
        self._sleep = sleep
        self._loop = loop
        self._jitter = jitter or _Chance(keys.root)

    def start(self, branches: tuple[Branch[Any], ...], wait: Wait, /) -> Awaitable[Any]:
        """Make the calls; see `Workflow.parallel`.

        Cancellation: cancels the branches.
        """
        return self._run([(one, self._keys(one.request)) for one in branches], wait)

    def run(self, branches: tuple[Branch[Any], ...], wait: Wait, /) -> Any:
        """The same from another thread, which it blocks."""
        prepared = [(one, self._keys(one.request)) for one in branches]
        return wait_on(self._loop, self._run(prepared, wait), None)

    async def _run(self, branches: list[tuple[Branch[Any], Request]], wait: Wait) -> Any:
        tasks = [asyncio.ensure_future(self._one(*each)) for each in branches]
        try:
            return await _collected(tasks, wait)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _one(self, branch: Branch[Any], request: Request) -> Any:
        attempt, waited_s = 0, 0.0
        while True:
            try:
                reply = await send_with_retries(
                    self._transport, request, sleep=self._sleep, jitter=self._jitter
                )
                return reply.value
            except Exception as problem:
                attempt += 1
                wait_s = self._wait_s(branch, attempt)
                if _is_last(branch, attempt, waited_s + wait_s, problem):
                    if branch.otherwise is None:
                        raise
                    return branch.otherwise.value
            waited_s += wait_s
            await self._sleep(wait_s)

    def _wait_s(self, branch: Branch[Any], attempt: int) -> float:
        backoff = branch.backoff
        cap_s = backoff.cap.total_seconds()
        wait_s = backoff.initial.total_seconds()
        for _ in range(attempt - 1):
            wait_s = min(cap_s, wait_s * backoff.factor)
        return min(cap_s, wait_s) * (1 - backoff.jitter * self._jitter())


class _Chance:
    """Numbers from 0 to 1 that follow from a text; made ready by who wants one, for few steps do.

    Args:
        text: from which they follow.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._random: random.Random | None = None

    def __call__(self) -> float:
        if self._random is None:
            self._random = random.Random(self._text)
        return self._random.random()


def _is_last(branch: Branch[Any], attempt: int, waited_s: float, problem: Exception) -> bool:
    if isinstance(problem, branch.final):
        return True
    if branch.retries is not None and attempt > branch.retries:
        return True
    longest: timedelta | None = branch.backoff.max_elapsed
    return longest is not None and waited_s > longest.total_seconds()


async def _collected(tasks: Sequence[asyncio.Future[Any]], wait: Wait) -> Any:
    """What is waited for; the error of the first branch in their order that stands in the way."""
    if wait == "all":
        await asyncio.wait(tasks)
        return tuple(task.result() for task in tasks)
    wanted = 1 if wait == "first" else int(wait)
    values: list[Any] = []
    pending = set(tasks)
    while pending and len(values) < wanted:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        ended = [task for task in tasks if task in done]
        values += [task.result() for task in ended if task.exception() is None]
        failed = [task for task in tasks if task.done() and task.exception() is not None]
        if len(tasks) - len(failed) < wanted:
            failed[0].result()
    return values[0] if wait == "first" else tuple(values[:wanted])
