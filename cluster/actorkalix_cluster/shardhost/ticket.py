"""Tickets: a message on its way through a host, and the desk that hands them out.

Theory of operation. Every message gets a ticket, and every ticket is answered once. Until it is
started it may be dropped without a trace; from then on it runs to its end, whether or not anybody
still waits for the answer. So what a caller who gives up may say is known exactly: dropped is
"not executed", everything else "unknown".

    WAITING --begin--> STARTED --answer--> ANSWERED
       |  \\--answer (refused)-----------------^
       \\--drop--> DROPPED

All of it happens on the loop. The future of a ticket is made only when somebody has to wait:
refusals and queries of live actors are answered before `send` returns. Who has to know of an
answer in the very moment in which it is given sets `on_answer`; it is called from the midst of
whoever answers, so it may take note and must not send anything.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from time import perf_counter

import msgspec

from actorkalix_cluster.shardhost.messages import Message, MessageKind, Reply
from actorkalix_cluster.shardhost.observer import Observer

_COMMAND, _QUERY = MessageKind.COMMAND, MessageKind.QUERY


Tell = Callable[[Reply], object]
"""Is told an answer, once, from the midst of somebody's work: it makes a note of it and returns. It
raises nothing, and sends nothing before its caller has gone on."""


class Stage(enum.Enum):
    """How far a message has come."""

    WAITING = enum.auto()
    STARTED = enum.auto()
    ANSWERED = enum.auto()
    DROPPED = enum.auto()


# Bound here, for to look up a member of an enum takes 0.1 us, and a message asks for many.
_WAITING, _STARTED, _ANSWERED, _DROPPED = Stage


class Ticket(msgspec.Struct, eq=False):
    """A message on its way; one waits for its answer. A struct: there is one for each message."""

    message: Message
    _desk: Desk
    opened_s: float
    stage: Stage = _WAITING
    reply: Reply | None = None
    on_answer: Callable[[Ticket], object] | None = None
    _tell: Tell | None = None

    @property
    def open(self) -> bool:
        """It was neither answered nor dropped."""
        return self.stage is _WAITING or self.stage is _STARTED

    def begin(self) -> None:
        """From now on it runs to its end."""
        assert self.stage is _WAITING, self.stage
        self.stage = _STARTED

    def drop(self) -> bool:
        """Take it back.

        Returns:
            True when it was not started and never will be.
        """
        if self.stage is _WAITING:
            self.stage = _DROPPED
            self._desk.close(self)
        return self.stage is _DROPPED

    def then(self, tell: Tell) -> None:
        """Have this told the answer; for one that has none yet."""
        assert self.reply is None, "it has its answer"
        assert self._tell is None, "one waits for a ticket"
        self._tell = tell

    async def wait(self) -> Reply:
        """The answer.

        Cancellation: a message that was not started is dropped; any other runs to its end.
        """
        if self.reply is not None:
            return self.reply
        answered = Answered()
        self.then(answered.tell)
        try:
            return await answered.future
        except asyncio.CancelledError:
            self.drop()
            raise

    def give_up(self, reply: Reply) -> None:
        """Tell who waits this instead of the answer; the message goes its way."""
        tell, self._tell = self._tell, None
        if tell is not None:
            tell(reply)

    def settle(self, reply: Reply) -> None:
        """Put the answer in; for the desk alone."""
        self.stage = _ANSWERED
        self.reply = reply
        if self.on_answer is not None:
            self.on_answer(self)
        tell, self._tell = self._tell, None
        if tell is not None:
            tell(reply)


class Answered:
    """For a task that waits to be told an answer.

    Attributes:
        future: of the answer.
    """

    __slots__ = ("future",)

    def __init__(self) -> None:
        self.future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def tell(self, reply: Reply) -> None:
        """Wake who waits, unless it was cancelled."""
        if not self.future.done():
            self.future.set_result(reply)


class Desk:
    """Hands out tickets and knows which are open."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._empty: asyncio.Future[None] | None = None
        self.pending: dict[Ticket, None] = {}  # in the order of opening

    def open(self, message: Message) -> Ticket:
        """A ticket for a message."""
        ticket = Ticket(message, self, perf_counter())
        self.pending[ticket] = None
        return ticket

    def answer(self, ticket: Ticket, reply: Reply) -> None:
        """Answer a ticket; one that was dropped stays dropped."""
        stage = ticket.stage
        if stage is _DROPPED:
            return
        assert stage is not _ANSWERED, "a message is answered once"
        ticket.settle(reply)
        self.pending.pop(ticket, None)
        if self._empty is not None:
            self._tell_empty(self._empty)
        message = ticket.message
        if message.kind is _COMMAND or message.kind is _QUERY:
            number = "" if reply.failure is None else reply.failure.number
            seconds = perf_counter() - ticket.opened_s
            self._observer.handled(message.component, message.method, seconds, number)

    def close(self, ticket: Ticket) -> None:
        """It is not open any more."""
        self.pending.pop(ticket, None)
        if self._empty is not None:
            self._tell_empty(self._empty)

    def _tell_empty(self, empty: asyncio.Future[None]) -> None:
        if not self.pending and not empty.done():
            empty.set_result(None)

    def drop_waiting(self, reply: Reply) -> None:
        """Answer all that was not started with this."""
        for ticket in list(self.pending):
            if ticket.stage is _WAITING:
                self.answer(ticket, reply)

    def when_empty(self) -> asyncio.Future[None]:
        """Done when no ticket is open; who waits may cancel it."""
        if self._empty is None or self._empty.done():
            self._empty = asyncio.get_running_loop().create_future()
            if not self.pending:
                self._empty.set_result(None)
        return self._empty
