"""What a caller holds of a message that a router has sent for it and that is not answered yet."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import msgspec

from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.messages import Failure, Message, MessageKind, Reply
from actorkalix_cluster.shardhost.parked import Parked
from actorkalix_cluster.shardhost.ticket import Tell, Ticket


class Asked(msgspec.Struct, eq=False):
    """A message that was sent.

    Args:
        _tell: who is told the answer; None when nobody wants it any more.

    Attributes:
        ticket: with which it was sent first; None if it could not be.
        parked: what became of it when it was turned away.
    """

    _tell: Tell | None
    ticket: Ticket | None = None
    parked: Parked | None = None

    def tell(self, reply: Reply) -> None:
        """Pass the answer on, unless nobody wants it any more."""
        tell, self._tell = self._tell, None
        if tell is not None:
            tell(reply)

    def follow(self, parked: Parked) -> Reply | Asked:
        """Have the caller told what becomes of it, now that it was turned away."""
        if parked.reply is not None:
            return parked.reply
        self.parked = parked
        parked.then(self.tell)
        return self

    def forget(self) -> Tell | None:
        """Nobody wants the answer any more; who would have been told, None if that is over."""
        tell, self._tell = self._tell, None
        return tell


@runtime_checkable
class Begins(Protocol):
    """Sends messages for callers that are no tasks."""

    def begin(self, message: Message, tell: Tell, /) -> Reply | Asked:
        """Send a message: its answer where it is there at once, else `tell` gets it.

        What is not answered by the message's deadline is told as an error then.
        """
        ...

    def drop(self, asked: Asked, /) -> None:
        """Nobody waits any more: what was not started is dropped, any other runs to its end."""
        ...


def too_late(ticket: Ticket) -> Failure:
    """What is said to a caller who waits no longer; the message is taken back if it can be."""
    if ticket.drop() or ticket.message.kind is MessageKind.QUERY:
        return failures.deadline_passed()
    return failures.outcome_unknown("no answer came in time")
