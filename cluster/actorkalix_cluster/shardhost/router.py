"""The router: from a message to the host that owns its shard, and how long a caller waits.

Theory of operation. A shard has homes: stores that have its records, proposed once by the ring,
moved later by whoever moves them. The host that has the first home open answers; when none is
there the answer is AK3004, and the message was not executed. A message is sent once: whether it
may be sent again is for its caller to say, who knows about keys.

A caller waits until the message's deadline, or `ask_timeout_ms`. Then a message that was not
started yet is taken back (AK3005, and it never will be started); of any other the outcome is
unknown (AK3101), for it runs to its end. Callers nearly never wait that long, so there is no
timer per message: each one that waits is in one set, looked through every 50 ms. A wait ends up
to one tick late, never early.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from actorkalix_cluster.placement import shard_of
from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.clock import Clock, Handle
from actorkalix_cluster.shardhost.messages import Failure, Message, MessageKind, Reply
from actorkalix_cluster.shardhost.ticket import Ticket

TICK_MS = 50


class Target(Protocol):
    """A host, here or elsewhere."""

    def send(self, message: Message, /) -> Ticket:
        """Send a message; the ticket gets its answer."""
        ...


class Router:
    """Sends messages to the hosts of a service.

    Args:
        homes: for each shard the numbers of the stores that have it, the first one answers.
        targets: hosts by the number of their store; who comes or goes is put in or taken out here.
        clock: the same as the hosts'.
        ask_timeout_ms: how long a message without a deadline is waited for.
    """

    def __init__(
        self,
        homes: Sequence[tuple[int, ...]],
        targets: Mapping[int, Target],
        *,
        clock: Clock,
        ask_timeout_ms: int,
    ) -> None:
        self._homes = homes
        self._targets = targets
        self._clock = clock
        self._ask_timeout_ms = ask_timeout_ms
        self._waits: dict[Ticket, int] = {}
        self._tick: Handle | None = None

    def homes(self, shard: int) -> tuple[int, ...]:
        """Numbers of the stores that have the shard."""
        return self._homes[shard]

    async def ask(self, message: Message, /) -> Reply:
        """Send a message and wait for its answer.

        Cancellation: a message that was not started is dropped; any other runs to its end.
        Durability: all that the answer rests on is on disk.
        """
        shard = shard_of(message.component, message.entity, len(self._homes))
        target = self._targets.get(self._homes[shard][0])
        if target is None:
            return Reply(failure=failures.owner_away(shard))
        ticket = target.send(message)
        if ticket.reply is not None:
            return ticket.reply
        self._waits[ticket] = message.deadline_ms or self._clock.now_ms() + self._ask_timeout_ms
        if self._tick is None:
            self._tick = self._clock.call_later(TICK_MS, self._end_waits)
        try:
            return await ticket.wait()
        finally:
            self._waits.pop(ticket, None)

    def _end_waits(self) -> None:
        now_ms = self._clock.now_ms()
        for ticket in [ticket for ticket, until_ms in self._waits.items() if until_ms < now_ms]:
            del self._waits[ticket]
            ticket.give_up(Reply(failure=_too_late(ticket)))
        self._tick = self._clock.call_later(TICK_MS, self._end_waits) if self._waits else None


def _too_late(ticket: Ticket) -> Failure:
    if ticket.drop() or ticket.message.kind is MessageKind.QUERY:
        return failures.deadline_passed()
    return failures.outcome_unknown("no answer came in time")
