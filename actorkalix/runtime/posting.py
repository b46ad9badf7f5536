"""Publishing to topics within: what is for one partition at the same time goes there as one.

Theory of operation. Who publishes has a message for each value. Those for one partition that come
in one turn of the loop, or while others are on their way there, leave together, as one command: one
step, one append, one look at their ids. Each has its reply, as if it had gone alone. Messages leave
a partition's line in the order in which they came; one that is alone goes as it is.

    the reply to all of them       each has
    their places                   its place
    refused for what they say      what it gets when it is sent alone, in their order
    any other failure              that

So the command for all of them knows nothing of a message that is too large, or of an id that the
topic has.

Whoever waits is told by its own deadline: "unknown" when the message is under way, "not executed"
when it has not left yet. One that is dropped before it has left never leaves.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from functools import partial
from typing import Any

import msgspec

from actorkalix.engine.topic import PUBLISH, TOPIC
from actorkalix.engine.topic_parts import apart, together
from actorkalix.gateway.prompt import Asking
from actorkalix.limits import POSTED_BYTES_MAX, POSTED_MAX
from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.asked import Asked
from actorkalix_cluster.shardhost.clock import Clock, Handle
from actorkalix_cluster.shardhost.messages import Failure, Message, Reply
from actorkalix_cluster.shardhost.ticket import Answered, Tell

NOT_COMMITTED = "AK3006"


class Posted(Asked, eq=False, kw_only=True):
    """A message that is published with others.

    Attributes:
        message: it.
        at: who has it, once it was sent alone.
    """

    message: Message
    at: Asked | None = None

    @property
    def waited_for(self) -> bool:
        """Somebody waits for its answer."""
        return self._tell is not None


class Line:
    """Messages for one partition.

    Attributes:
        waiting: have not left yet.
        sent: on their way together.
        alone: of these, those that are still to be sent alone.
        leaving: the next are about to leave.
        until: ends the wait of those whose time is over, at `until_ms`.
    """

    __slots__ = ("alone", "leaving", "sent", "until", "until_ms", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[Posted] = deque()
        self.sent: list[Posted] = []
        self.alone: deque[Posted] = deque()
        self.leaving = False
        self.until: Handle | None = None
        self.until_ms = 0


class Posting:
    """`Asking`: whatever else it is asked goes on to `actors`. See the head of this file.

    Args:
        actors: answers messages.
        clock: whose time deadlines are in.
    """

    def __init__(self, actors: Asking, clock: Clock) -> None:
        self._actors = actors
        self._clock = clock
        self._lines: dict[str, Line] = {}

    def ask(self, message: Message, /) -> Coroutine[Any, Any, Reply]:
        """Send a message and wait for its answer."""
        return self._post(message) if _is_posted(message) else self._actors.ask(message)

    async def _post(self, message: Message) -> Reply:
        answered = Answered()
        posted = self._put(message, answered.tell)
        try:
            return await answered.future
        except asyncio.CancelledError:
            self.drop(posted)
            raise

    def begin(self, message: Message, tell: Tell, /) -> Reply | Asked:
        """Send a message: its answer where it is there at once, else `tell` gets it."""
        return (
            self._put(message, tell) if _is_posted(message) else self._actors.begin(message, tell)
        )

    def drop(self, asked: Asked, /) -> None:
        """Nobody waits any more: what was not started is dropped, any other runs to its end."""
        if not isinstance(asked, Posted):
            self._actors.drop(asked)
            return
        asked.forget()
        at, asked.at = asked.at, None
        if at is not None:
            self._actors.drop(at)  # which tells nothing any more
            entity = asked.message.entity
            asyncio.get_running_loop().call_soon(self._go_on_alone, entity, self._lines[entity])

    # ---- leaving ---------------------------------------------------------------------------------
    def _put(self, message: Message, tell: Tell) -> Posted:
        posted = Posted(tell, message=message)
        line = self._lines.get(message.entity)
        if line is None:
            line = self._lines[message.entity] = Line()
        line.waiting.append(posted)
        if message.deadline_ms and (not line.until_ms or message.deadline_ms < line.until_ms):
            self._wait_until(line, message.deadline_ms)
        if not line.sent:
            self._leave_soon(message.entity, line)
        return posted

    def _leave_soon(self, entity: str, line: Line) -> None:
        if not line.leaving:
            line.leaving = True
            asyncio.get_running_loop().call_soon(self._leave, entity, line)

    def _leave(self, entity: str, line: Line) -> None:
        line.leaving = False
        line.sent = _next(line)
        if not line.sent:
            self._wait_until(line, 0)
            del self._lines[entity]
            return
        if len(line.sent) == 1:
            self._send_alone(entity, line)
            return
        orders = [posted.message for posted in line.sent]
        answer = self._actors.begin(_timed(together(orders), orders), partial(self._told, line))
        if isinstance(answer, Reply):
            self._told(line, answer)

    def _told(self, line: Line, reply: Reply) -> None:
        """The answer to all that were sent together; called from the midst of a host's work."""
        sent = line.sent
        entity = sent[0].message.entity
        failure = reply.failure
        if failure is not None and _is_refusal(failure):
            asyncio.get_running_loop().call_soon(self._send_alone, entity, line)
            return
        if failure is not None:
            for posted in sent:
                posted.tell(reply)
        else:
            for posted, payload in zip(sent, apart(reply.payload, len(sent)), strict=True):
                posted.tell(msgspec.structs.replace(reply, payload=payload))
        self._over(entity, line)

    def _send_alone(self, entity: str, line: Line) -> None:
        """Send each when the one before it is answered, so that none is overtaken."""
        line.alone.extend(line.sent)
        self._go_on_alone(entity, line)

    def _go_on_alone(self, entity: str, line: Line) -> None:
        while line.alone:
            posted = line.alone.popleft()
            if not posted.waited_for:
                continue
            told = partial(self._told_alone, entity, line, posted)
            answer = self._actors.begin(posted.message, told)
            if isinstance(answer, Asked):
                posted.at = answer
                return
            posted.tell(answer)
        self._over(entity, line)

    def _told_alone(self, entity: str, line: Line, posted: Posted, reply: Reply) -> None:
        posted.at = None
        posted.tell(reply)
        asyncio.get_running_loop().call_soon(self._go_on_alone, entity, line)

    def _over(self, entity: str, line: Line) -> None:
        line.sent = []
        self._leave_soon(entity, line)

    # ---- deadlines -------------------------------------------------------------------------------
    def _wait_until(self, line: Line, until_ms: int) -> None:
        if line.until is not None:
            line.until.cancel()
            line.until = None
        line.until_ms = until_ms
        if until_ms:
            delay_ms = max(0, until_ms - self._clock.now_ms()) + 1  # it counts when it has passed
            line.until = self._clock.call_later(delay_ms, partial(self._look, line))

    def _look(self, line: Line) -> None:
        """Tell those whose time is over; see to the next."""
        line.until, now_ms, next_ms = None, self._clock.now_ms(), 0
        for some, failure in (
            (line.sent, failures.outcome_unknown("no answer came in time")),
            (line.waiting, failures.deadline_passed()),
        ):
            for posted in some:
                deadline_ms = posted.message.deadline_ms
                if not deadline_ms or not posted.waited_for or posted.at is not None:
                    continue
                if deadline_ms < now_ms:
                    posted.tell(Reply(failure=failure))
                else:
                    next_ms = min(next_ms or deadline_ms, deadline_ms)
        self._wait_until(line, next_ms)


def _is_posted(message: Message) -> bool:
    return message.method == PUBLISH and message.component == TOPIC


def _is_refusal(failure: Failure) -> bool:
    """Whether one of several messages stands in the way of the others, none of which was stored."""
    said = failure.number.startswith("AK2") or failure.number == NOT_COMMITTED
    return said and failure.outcome == "not_executed"


def _next(line: Line) -> list[Posted]:
    """Those that leave next: who is still waited for, of ids that differ, not too many."""
    found: list[Posted] = []
    ids: set[str] = set()
    size = 0
    while line.waiting and len(found) < POSTED_MAX:
        posted = line.waiting[0]
        message = posted.message
        size += len(message.payload)
        if found and (size > POSTED_BYTES_MAX or message.key in ids):
            break
        line.waiting.popleft()
        if not posted.waited_for:
            size -= len(message.payload)
            continue
        found.append(posted)
        if message.key:
            ids.add(message.key)
    return found


def _timed(all_of_them: Message, orders: list[Message]) -> Message:
    """With the latest of their deadlines: each is looked after here."""
    deadlines = [order.deadline_ms for order in orders]
    if not all(deadlines):
        return all_of_them
    return msgspec.structs.replace(all_of_them, deadline_ms=max(deadlines))
