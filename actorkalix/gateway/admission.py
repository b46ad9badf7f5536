"""Who is let in: a request that could not be answered in time is refused while that costs little.

Theory of operation. Under more requests than a host takes its loop reads all that have come before
it works on any; each waits for all that came before it. So what waits is multiplied with what an
answer takes, as measured over the last answers: where that is more than `SHARE` of the time that a
request has left, it is refused at once (503, `Retry-After`), not executed and not queued. What is
let in is then answered in time, and the work goes into answers that somebody still waits for.

What an answer takes is known only while there is a crowd, more than `CROWD` requests: with fewer a
host that rests would look like a slow one. What was measured while it stood still is forgotten
soon, or nobody would be let in any more who could show that it goes on. The first crowd after the
start is let in as a whole; the queues behind this are bounded by themselves.

Requests for actions and streams are not looked at: they have slots of their own.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from functools import partial
from typing import Protocol

from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.ports import AskStreams
from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.asked import Asked, Begins
from actorkalix_cluster.shardhost.messages import Message, MessageKind, Reply
from actorkalix_cluster.shardhost.ticket import Tell

CROWD = 8  # fewer are answered before anybody has lost patience, on a host that gets no CPU too
SHARE = 0.5  # the rest is for the ways to the host's loop and from it, which nobody sees here
WINDOW_S = 0.1  # answers that are looked at together: some hundreds
EACH_MS_MAX = 10.0  # 50 times what a command takes: a host that is slower stands still
FORGET_S = 0.25  # without a measurement half of what an answer takes is forgotten
_LOOKED_AT = (MessageKind.COMMAND, MessageKind.QUERY)
_REFUSED = Reply(failure=failures.overloaded("more requests wait than are answered in time"))


class _Guest(partial[None]):
    """Who is told the answer to a request that is counted among those that wait."""


class AskingAll(AskStreams, Begins, Protocol):
    """Sends all kinds of messages, for callers that are tasks and for others."""


class Admission:
    """An `AskingAll` before another one.

    Args:
        ask: answers what is let in.
        service: whose components are asked.
        now_s: a clock that does not go back.
        now_ms: the clock in which deadlines are.
    """

    def __init__(
        self,
        ask: AskingAll,
        service: ServiceDescriptor,
        *,
        now_s: Callable[[], float] = time.perf_counter,
        now_ms: Callable[[], float] = lambda: time.time() * 1_000,
    ) -> None:
        self._ask = ask
        self._aside = frozenset(
            name for name, each in service.components.items() if each.kind in ("action", "view")
        )
        self._now_s, self._now_ms = now_s, now_ms
        self._waiting = 0
        self._each_ms = 0.0  # that an answer takes, while there is a crowd
        self._answered = 0  # since the window began
        self._began_s = 0.0
        self._measured_s = 0.0  # when it was last known
        self.refused = 0

    def begin(self, message: Message, tell: Tell, /) -> Reply | Asked:
        """Send a message, or refuse it; see `Asking`."""
        if message.kind not in _LOOKED_AT or message.component in self._aside:
            return self._ask.begin(message, tell)
        waiting = self._waiting
        if waiting >= CROWD:
            left_ms = message.deadline_ms - self._now_ms()
            if message.deadline_ms and waiting * self._each_ms > left_ms * SHARE:
                return self._refuse()
            if waiting == CROWD:
                self._began_s, self._answered = self._now_s(), 0
        asked = self._ask.begin(message, _Guest(self._told, tell))
        if isinstance(asked, Asked):
            self._waiting = waiting + 1
        return asked

    def _refuse(self) -> Reply:
        now_s = self._now_s()
        if now_s - self._measured_s >= FORGET_S:
            self._each_ms, self._measured_s = self._each_ms / 2, now_s
        self.refused += 1
        return _REFUSED

    def _told(self, tell: Tell, reply: Reply) -> None:
        self._waiting -= 1
        self._answered += 1
        if self._waiting >= CROWD:
            took_s = self._now_s() - self._began_s
            if took_s >= WINDOW_S:
                each_ms = min(took_s * 1_000 / self._answered, EACH_MS_MAX)
                self._each_ms = (self._each_ms + each_ms) / 2 if self._each_ms else each_ms
                self._began_s += took_s
                self._measured_s, self._answered = self._began_s, 0
        tell(reply)

    def drop(self, asked: Asked, /) -> None:
        """Nobody waits any more; see `Asking`."""
        if isinstance(asked.forget(), _Guest):
            self._waiting -= 1
        self._ask.drop(asked)

    async def ask(self, message: Message, elements: AsyncIterator[bytes] | None = None, /) -> Reply:
        """Send a message and wait; see `AskStreams`.

        Cancellation: as there.
        """
        return await self._ask.ask(message, elements)

    def stream(
        self, message: Message, elements: AsyncIterator[bytes] | None = None, /
    ) -> AsyncGenerator[Reply]:
        """The elements of an answer; see `AskStreams`."""
        return self._ask.stream(message, elements)
