"""The router: from a message to the host that owns its shard, and how long a caller waits.

Theory of operation. A shard has homes: stores that have its records, proposed once by the ring,
moved later by whoever moves them. The host that has the first home open answers. A message that
nobody has executed is sent again by the router itself; of any other it is for the caller to say,
who knows about keys.

    the message                       becomes
    its home's host is there          sent
      and answers                     answered
      and says "not here" (`not_here`: AK3002, AK3004; a link says it of what it never sent,
                          and of queries whose host has ended)
                                      parked
    its home's host is not there      parked
    its home is fenced off            answered AK3004 with the reason
    parked, `changed`, `update`       all of its line are sent again, in order
    parked, nothing heard             the first of its line is sent each 200 ms, to look
    parked for `owner_wait_ms`,       answered AK3004, not executed
      or past its deadline
    one more than `parked_max`        answered AK3001, not executed

Order. Messages for one entity arrive in the order in which they were sent here, but for those that
are answered with an error. One path keeps its order: a host is called at once, a link is a queue.
So only a change of path needs care (`parked.Line`): who is turned away waits in its shard's line,
who comes later stands behind it, and none is sent while an earlier one for its entity is still
under way, for that one may be turned away as well. Parking happens in the moment of the answer
(`Ticket.on_answer`), sending never does: whoever answers is in the midst of its work.

A router without `owner_wait_ms` parks nothing: whoever is away is away, as in a single process.

A caller waits until the message's deadline, or `ask_timeout_ms`. Then a message that was not
started yet is taken back (AK3005, and it never will be started); of any other the outcome is
unknown (AK3101), for it runs to its end. Callers nearly never wait that long, so there is no
timer per message: each one that waits is in one set, looked through every 50 ms. A wait ends up
to one tick late, never early.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Protocol

from actorkalix_cluster.placement import shard_of
from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.asked import Asked, too_late
from actorkalix_cluster.shardhost.clock import Clock, Handle
from actorkalix_cluster.shardhost.messages import Message, Reply
from actorkalix_cluster.shardhost.observer import SilentObserver
from actorkalix_cluster.shardhost.parked import Line, Parked, whom
from actorkalix_cluster.shardhost.ticket import Answered, Desk, Tell, Ticket
from actorkalix_storage.api import HomeTable

TICK_MS = 50
RETRY_MS = 200


class Target(Protocol):
    """A host, here or elsewhere."""

    def send(self, message: Message, /) -> Ticket:
        """Send a message; the ticket gets its answer."""
        ...


class Router:
    """Sends messages to the hosts of a service.

    Args:
        table: for each shard the numbers of the stores that have it, the first one answers.
        targets: hosts by the number of their store; who comes or goes is put in or taken out here.
        clock: the same as the hosts'.
        ask_timeout_ms: how long a message without a deadline is waited for.
        owner_wait_ms: until a caller is told that the owner is away; 0 is at once. Below
            `ask_timeout_ms`, so that "not executed" is said before "unknown" has to be.
        parked_max: messages that wait for an owner.
    """

    def __init__(
        self,
        table: HomeTable,
        targets: Mapping[int, Target],
        *,
        clock: Clock,
        ask_timeout_ms: int,
        owner_wait_ms: int = 0,
        parked_max: int = 4_096,
    ) -> None:
        self._table = table
        self._homes = table.homes
        self._targets = targets
        self._clock = clock
        self._ask_timeout_ms = ask_timeout_ms
        self._owner_wait_ms = owner_wait_ms
        self._parked_max = parked_max
        self._on_answer = self._answered if owner_wait_ms else None
        self._desk = Desk(SilentObserver())  # for messages that no host has seen
        self._waits: dict[Ticket, int] = {}
        self._tick: Handle | None = None
        self._fenced: dict[int, str] = {}
        self._lines: dict[int, Line] = {}
        self._parked = 0
        self._turned: dict[Ticket, Parked] = {}  # by the ticket that its caller still looks at
        self._sent: dict[Ticket, Parked] = {}  # by the ticket with which it was sent again
        self._due: set[int] = set()  # shards of lines to release when the present call is over

    def homes(self, shard: int) -> tuple[int, ...]:
        """Numbers of the stores that have the shard."""
        return self._homes[shard]

    async def ask(self, message: Message, /) -> Reply:
        """Send a message and wait for its answer.

        Cancellation: a message that was not started is dropped; any other runs to its end.
        Durability: all that the answer rests on is on disk.
        """
        answered = Answered()
        asked = self.begin(message, answered.tell)
        if isinstance(asked, Reply):
            return asked
        try:
            return await answered.future
        except asyncio.CancelledError:
            self.drop(asked)
            raise

    def begin(self, message: Message, tell: Tell, /) -> Reply | Asked:
        """Send a message: its answer where it is there at once, else `tell` gets it.

        Durability: all that the answer rests on is on disk.
        """
        shard = shard_of(message.component, message.entity, len(self._homes))
        home = self._homes[shard][0]
        target = self._targets.get(home)
        if target is None or self._lines or self._fenced:
            if home in self._fenced:
                return self._fenced_off(home)
            if target is None or shard in self._lines:
                return Asked(tell).follow(self._turn_away(self._ticket(message, shard), shard))
        ticket = target.send(message)
        if ticket.reply is not None:
            if self._on_answer is None or not _is_not_here(ticket.reply):
                return ticket.reply
            return Asked(tell).follow(self._turn_away(ticket, shard))
        asked = Asked(tell)
        asked.ticket = ticket
        ticket.on_answer = self._on_answer
        ticket.then(partial(self._came_back, asked))
        self._wait_for(ticket, message.deadline_ms or self._clock.now_ms() + self._ask_timeout_ms)
        return asked

    def _came_back(self, asked: Asked, reply: Reply) -> None:
        """The first ticket of a message has its answer, or is waited for no longer."""
        assert asked.ticket is not None, "it was sent"
        self._waits.pop(asked.ticket, None)
        parked = self._turned.pop(asked.ticket, None) if self._turned else None
        if parked is None:
            asked.tell(reply)
        elif isinstance(told := asked.follow(parked), Reply):
            asked.tell(told)

    def drop(self, asked: Asked, /) -> None:
        """Nobody waits any more: what was not started is dropped, any other runs to its end."""
        asked.forget()
        if asked.parked is not None:
            self._drop(asked.parked)
        elif asked.ticket is not None:
            asked.ticket.drop()
            self._waits.pop(asked.ticket, None)

    def _wait_for(self, ticket: Ticket, until_ms: int) -> None:
        self._waits[ticket] = until_ms
        if self._tick is None:
            self._tick = self._clock.call_later(TICK_MS, self._look)

    # ---- what is heard ------------------------------------------------------------------------
    def update(self, table: HomeTable) -> None:
        """Go by this table from now on; one that is not newer says nothing.

        Raises:
            ValueError: it is of another number of shards.
        """
        if len(table.homes) != len(self._homes):
            raise ValueError(
                f"a home table of {len(table.homes)} shards for a service of {len(self._homes)}"
            )
        if table.version <= self._table.version:
            return
        before, self._homes, self._table = self._homes, table.homes, table
        if self._on_answer is not None and before != table.homes:
            self._hold_moved(before)
        self._release(self._lines)

    def _hold_moved(self, before: tuple[tuple[int, ...], ...]) -> None:
        """What is under way to a shard's former home keeps later messages back."""
        for ticket in self._waits:
            shard = self._shard_of(ticket.message)
            if ticket.open and before[shard][0] != self._homes[shard][0]:
                self._line(shard).underway.append(ticket)

    def changed(self, store: int) -> None:
        """A store was opened, by whomever: what waits for it is sent; it is not fenced any more."""
        self._fenced.pop(store, None)
        self._release(self._lines_of(store))

    def fence(self, store: int, reason: str) -> None:
        """Nobody opens this store any more, until it has `changed`."""
        self._fenced[store] = reason
        for shard in self._lines_of(store):
            for parked in self._take(self._lines[shard]):
                parked.tell(self._fenced_off(store))

    def drain(self) -> None:
        """No owner is waited for any more: this process is about to end."""
        self._owner_wait_ms, self._on_answer = 0, None
        for line in self._lines.values():
            for parked in self._take(line):
                parked.tell(self._away(parked.shard))
        self._lines.clear()

    @property
    def parked(self) -> int:
        """Messages that wait for an owner."""
        return self._parked

    # ---- turned away --------------------------------------------------------------------------
    def _answered(self, ticket: Ticket) -> None:
        """A ticket that was waited for has its answer. Called in the midst of a host's work."""
        reply = ticket.reply
        assert reply is not None, "it is called with the answer"
        if reply.failure is None and not self._lines and not self._sent:
            return
        parked = self._sent.pop(ticket, None)
        if _is_not_here(reply) and self._on_answer is not None:
            deadline_ms = self._waits.pop(ticket, None)
            if deadline_ms is not None:  # somebody waits
                shard = self._shard_of(ticket.message)
                if parked is None:
                    self._turned[ticket] = self._turn_away(ticket, shard, deadline_ms)
                else:
                    self._park(parked)
            return
        if parked is not None:
            self._waits.pop(ticket, None)
            parked.tell(reply)
        if self._lines:
            self._release_soon(self._shard_of(ticket.message))

    def _turn_away(self, ticket: Ticket, shard: int, deadline_ms: int = 0) -> Parked:
        now_ms = self._clock.now_ms()
        deadline_ms = deadline_ms or ticket.message.deadline_ms or now_ms + self._ask_timeout_ms
        parked = Parked(ticket, shard, min(now_ms + self._owner_wait_ms, deadline_ms), deadline_ms)
        self._park(parked)
        return parked

    def _park(self, parked: Parked) -> None:
        parked.sent = None
        if parked.until_ms <= self._clock.now_ms():
            parked.tell(self._away(parked.shard))
        elif self._parked >= self._parked_max:
            what = f"{self._parked_max} messages wait for owners that are away"
            parked.tell(Reply(failure=failures.overloaded(what)))
        else:
            self._parked += 1
            self._line(parked.shard).add(parked)
            if self._tick is None:
                self._tick = self._clock.call_later(TICK_MS, self._look)

    def _drop(self, parked: Parked) -> None:
        """Its caller has gone away."""
        if parked.sent is not None:
            parked.sent.drop()
            self._sent.pop(parked.sent, None)
            self._waits.pop(parked.sent, None)
            return
        line = self._lines.get(parked.shard)
        if line is not None and parked in line.parked:
            line.parked.remove(parked)
            self._parked -= 1
            self._release_soon(parked.shard)

    # ---- sent again ---------------------------------------------------------------------------
    def _release_soon(self, shard: int) -> None:
        if shard in self._lines:
            if not self._due:
                asyncio.get_running_loop().call_soon(self._release_due)
            self._due.add(shard)

    def _release_due(self) -> None:
        due, self._due = self._due, set()
        self._release(due)

    def _release(self, shards: Iterable[int], *, probe: bool = False) -> None:
        """Send what waits of these shards; `probe`: only the first of each."""
        lines = [(shard, self._lines[shard]) for shard in shards if shard in self._lines]
        if not lines:
            return
        busy = {whom(ticket.message) for ticket in self._waits if ticket.open}
        for shard, line in lines:
            if not line.probing or not probe:
                self._release_line(line, busy, probe)
            if line.over:
                del self._lines[shard]

    def _release_line(self, line: Line, busy: set[tuple[str, str]], probe: bool) -> None:
        going = True
        for parked in line.take():
            if going and parked.whom not in busy and self._went(parked):
                self._parked -= 1
                going = not probe
                line.probe = parked.sent
                continue
            going = going and parked.whom in busy
            line.add(parked)
        line.retry_ms = self._clock.now_ms() + RETRY_MS

    def _went(self, parked: Parked) -> bool:
        """Send it again; False when nobody is there to take it."""
        target = self._targets.get(self._homes[parked.shard][0])
        if target is None:
            return False
        ticket = target.send(parked.message)
        if ticket.reply is None:
            parked.sent = ticket
            self._sent[ticket] = parked
            ticket.on_answer = self._on_answer
            self._wait_for(ticket, parked.deadline_ms)
        elif _is_not_here(ticket.reply):
            return False
        else:
            parked.tell(ticket.reply)
        return True

    # ---- time ---------------------------------------------------------------------------------
    def _look(self) -> None:
        now_ms = self._clock.now_ms()
        self._end_waits(now_ms)
        self._end_parking(now_ms)
        due = [shard for shard, line in self._lines.items() if line.retry_ms <= now_ms]
        self._release(due, probe=True)
        again = self._waits or self._lines
        self._tick = self._clock.call_later(TICK_MS, self._look) if again else None

    def _end_waits(self, now_ms: int) -> None:
        for ticket in [ticket for ticket, until_ms in self._waits.items() if until_ms < now_ms]:
            del self._waits[ticket]
            reply = Reply(failure=too_late(ticket))
            parked = self._sent.pop(ticket, None)
            if parked is None:
                ticket.give_up(reply)
            else:
                parked.tell(reply)

    def _end_parking(self, now_ms: int) -> None:
        for shard, line in self._lines.items():
            over = [parked for parked in line.parked if parked.until_ms <= now_ms]
            if over:
                line.parked = [parked for parked in line.parked if parked.until_ms > now_ms]
                self._parked -= len(over)
                for parked in over:
                    parked.tell(self._away(shard))

    # ---- small things -------------------------------------------------------------------------
    def _shard_of(self, message: Message) -> int:
        return shard_of(message.component, message.entity, len(self._homes))

    def _line(self, shard: int) -> Line:
        line = self._lines.get(shard)
        if line is None:
            line = self._lines[shard] = Line(self._clock.now_ms() + RETRY_MS)
        return line

    def _lines_of(self, store: int) -> list[int]:
        return [shard for shard in self._lines if self._homes[shard][0] == store]

    def _take(self, line: Line) -> list[Parked]:
        self._parked -= len(line.parked)
        return line.take()

    def _ticket(self, message: Message, shard: int) -> Ticket:
        """A ticket for what no host has seen: its place in the line."""
        ticket = self._desk.open(message)
        self._desk.answer(ticket, self._away(shard))
        return ticket

    def _away(self, shard: int) -> Reply:
        return Reply(failure=failures.owner_away(shard))

    def _fenced_off(self, store: int) -> Reply:
        return Reply(failure=failures.store_fenced(store, self._fenced[store]))


def _is_not_here(reply: Reply) -> bool:
    return reply.failure is not None and failures.not_here(reply.failure)
