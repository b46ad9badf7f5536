"""Messages that do not get straight to their host: each waits in its shard's line.

A line exists only while a message of its shard waits for an owner, or is on its way to one that it
had before. Who comes meanwhile stands behind: so the first sent is the first delivered.
"""

from __future__ import annotations

from bisect import insort

from actorkalix_cluster.shardhost.messages import Message, Reply
from actorkalix_cluster.shardhost.ticket import Tell, Ticket


class Parked:
    """A message that was turned away at least once, and its caller's answer.

    Args:
        ticket: with which it was turned away.
        shard: of its actor.
        until_ms: when its caller is told that the owner is away.
        deadline_ms: when its caller is told something, wherever it is by then.

    Attributes:
        reply: what its caller was told.
        sent: the ticket with which it was sent again; None while it stands in the line.
    """

    __slots__ = (
        "_tell",
        "deadline_ms",
        "message",
        "opened_s",
        "reply",
        "sent",
        "shard",
        "until_ms",
    )

    def __init__(self, ticket: Ticket, shard: int, until_ms: int, deadline_ms: int) -> None:
        self.message: Message = ticket.message
        self.opened_s = ticket.opened_s
        self.shard = shard
        self.until_ms = until_ms
        self.deadline_ms = deadline_ms
        self.reply: Reply | None = None
        self.sent: Ticket | None = None
        self._tell: Tell | None = None

    @property
    def whom(self) -> tuple[str, str]:
        """Component and entity."""
        return whom(self.message)

    def then(self, tell: Tell) -> None:
        """Have this told the answer; for one that has none yet."""
        assert self.reply is None, "it has its answer"
        self._tell = tell

    def tell(self, reply: Reply) -> None:
        """Answer the caller, unless it was told something else before."""
        if self.reply is None:
            self.reply = reply
            if self._tell is not None:
                self._tell(reply)


class Line:
    """What waits of one shard, in the order of first sending.

    Attributes:
        parked: who waits.
        underway: sent to an owner that the shard had before; the line stays until they are back.
        probe: was sent ahead of the others, to see whether there is an owner now.
        retry_ms: when the next one is sent ahead.
    """

    __slots__ = ("parked", "probe", "retry_ms", "underway")

    def __init__(self, retry_ms: int) -> None:
        self.parked: list[Parked] = []
        self.underway: list[Ticket] = []
        self.probe: Ticket | None = None
        self.retry_ms = retry_ms

    @property
    def over(self) -> bool:
        """Nobody stands in it, nobody is awaited."""
        self.underway = [ticket for ticket in self.underway if ticket.open]
        return not self.parked and not self.underway

    @property
    def probing(self) -> bool:
        """The one that was sent ahead is not back."""
        return self.probe is not None and self.probe.open

    def add(self, parked: Parked) -> None:
        """Stand in the line, ahead of those that were first sent later."""
        insort(self.parked, parked, key=lambda each: each.opened_s)

    def take(self) -> list[Parked]:
        """All who wait; the line is empty then."""
        parked, self.parked = self.parked, []
        return parked


def whom(message: Message) -> tuple[str, str]:
    """Component and entity: the order of what is sent to one of these is kept."""
    return message.component, message.entity
