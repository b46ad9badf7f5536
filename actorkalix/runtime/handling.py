"""What is known of an action's handler while it runs: what it changed, how it holds the loop.

An entity's handler runs in one go; one of an action waits in between, and others run meanwhile. So
the watchdog is told of each stretch that it runs in, from one wait to the next (`Watched`), as if
each were a handler. And what its calls have changed stays changed when it fails afterwards: then
its refusal must not say that nothing was executed (`Noting`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

import msgspec

from actorkalix.ports import Ask
from actorkalix_cluster.shardhost.clock import Clock
from actorkalix_cluster.shardhost.messages import Message, MessageKind, Reply
from actorkalix_cluster.shardhost.watchdog import Watch

T = TypeVar("T")
_THROWN: tuple[type[BaseException], ...] = (Exception, asyncio.CancelledError)
"""What a loop throws into a coroutine that waits."""


class Noting:
    """An `Ask` around another one, for one handler: whether its calls may have changed anything.

    Args:
        ask: the other one.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._changed = False
        self._open = 0

    async def ask(self, message: Message, /) -> Reply:
        """Send a message and wait for its answer."""
        if message.kind is not MessageKind.COMMAND:
            return await self._ask.ask(message)
        self._open += 1
        try:
            reply = await self._ask.ask(message)
        except BaseException:
            self._changed = True  # nobody knows
            raise
        finally:
            self._open -= 1
        if reply.failure is None or reply.failure.outcome == "unknown":
            self._changed = True
        return reply

    def whole(self, reply: Reply) -> Reply:
        """The handler's reply, for those who do not know its calls."""
        failure = reply.failure
        if failure is None or failure.outcome == "unknown":
            return reply
        if not self._changed and not self._open:
            return reply
        return msgspec.structs.replace(
            reply, failure=msgspec.structs.replace(failure, outcome="unknown")
        )


class Watched(Generic[T]):
    """A coroutine whose every stretch the watchdog sees as work on a message.

    Args:
        work: the coroutine; awaiting this is awaiting it.
        message: that it handles.
        watch: the host's.
        clock: the host's.
    """

    def __init__(
        self, work: Coroutine[Any, Any, T], message: Message, watch: Watch, clock: Clock
    ) -> None:
        self._work = work
        self._message = message
        self._watch = watch
        self._clock = clock

    def __await__(self) -> Generator[Any, Any, T]:
        watch, work = self._watch, self._work
        problem: BaseException | None = None
        sent: Any = None
        while True:
            before, watch.work = watch.work, (self._clock.now_ms(), self._message)
            try:
                waits = work.send(sent) if problem is None else work.throw(problem)
            except StopIteration as ended:
                found: T = ended.value
                return found
            finally:
                watch.work = before
            sent = problem = None
            try:
                sent = yield waits
            except GeneratorExit:
                work.close()
                raise
            except _THROWN as thrown:
                problem = thrown  # it is the coroutine's to handle
