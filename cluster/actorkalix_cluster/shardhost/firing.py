"""Named timers that are due: the calls that they stand for, and what became of them.

Theory of operation. A timer is an actor of the component `TIMER`; its record says when it is due,
so the store's due times are all that is known of those that wait. A look of the host hands in what
is due, and each becomes a firing of three messages:

    EXPIRE --> the timer: is it its time? ---- no: over
      | yes: the call, and a token that names this firing
      v
    the call --> whomever it names, on any host
      | an answer, or a failure
      v
    "fired" --> the timer: writes what follows (gone, the next time, or another attempt)

The timer is still due until the last step is durable. So a host that dies in between leaves it to
whoever looks next: it fires at least once. A token of a timer that was replaced meanwhile is told
that it is `dropped`.

Invariants: one firing of a name at a time; at most `firings_max` at all, and a few times as many
names that wait for one to end, so that the store is asked rarely; nothing fires before `connect`,
for until then calls cannot leave the host. Firings are tasks of their own: a call that takes its
time holds up nobody but its own name.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.fired import FIRED, TIMER, Firing, Outcome, Settled
from actorkalix_cluster.shardhost.messages import Encoding, Failure, Message, MessageKind, Reply
from actorkalix_cluster.shardhost.parts import Parts
from actorkalix_cluster.shardhost.ticket import Ticket

log = logging.getLogger("actorkalix.timers")

TOLD_EVERY = 10  # of the attempts of one firing, after the first: 1 in 5 minutes at 30 s each
RETRY_MS = 1_000
QUEUED_A_FIRING = 4  # names that wait for one of those under way to end


class Reach(Protocol):
    """Sends a message to whomever it names, on any host."""

    async def ask(self, message: Message, /) -> Reply: ...


class Firings:
    """Firings under way.

    Args:
        parts: of the host.
        send: to the host's own actors.
        due_at: is told when to look for due timers again.
    """

    def __init__(
        self, parts: Parts, send: Callable[[Message], Ticket], due_at: Callable[[int], object]
    ) -> None:
        self._clock = parts.clock
        self._observer = parts.observer
        self._max = parts.limits.firings_max
        self._send = send
        self._due_at = due_at
        self._reach: Reach | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._queue: dict[str, None] = {}  # in the order in which they became due
        self._starved = False
        self._stopped = False

    def __len__(self) -> int:
        return len(self._tasks) + len(self._queue)

    @property
    def wanted(self) -> bool:
        """Others that are due are to be handed in; else that is asked for when it is time."""
        return self._reach is not None and not self._starved

    @property
    def full(self) -> bool:
        """There is no room; a look is asked for when there is."""
        return self._starved

    def connect(self, reach: Reach) -> None:
        """From now on timers fire."""
        self._reach = reach
        self._due_at(self._clock.now_ms())

    def stop(self) -> None:
        """Wait for no call any more; each is made again by whoever has its timer next."""
        self._stopped = True
        self._queue.clear()
        for task in self._tasks.values():
            task.cancel()

    def may_begin(self, name: str) -> bool:
        """The timer is not about to fire, and timers fire."""
        return self._reach is not None and name not in self._tasks and name not in self._queue

    def begin(self, names: Iterable[str]) -> None:
        """Fire these, as far as there is room; who is left over is asked for again."""
        for name in names:
            if len(self._queue) >= self._max * QUEUED_A_FIRING:
                self._starved = True
                break
            if self.may_begin(name):
                self._queue[name] = None
        self._go_on()

    def _go_on(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue and len(self._tasks) < self._max and not self._stopped:
            name = next(iter(self._queue))
            del self._queue[name]
            self._tasks[name] = loop.create_task(self._run(name))

    async def _run(self, name: str) -> None:
        look_at_ms = 0
        try:
            look_at_ms = await self._fire(name)
        except Exception:
            log.exception("timer %r could not be fired", name)
            look_at_ms = self._clock.now_ms() + RETRY_MS
        finally:
            del self._tasks[name]
        self._go_on()
        if self._starved and len(self._queue) <= self._max:
            self._starved = False
            self._due_at(self._clock.now_ms())
        elif look_at_ms:
            self._due_at(look_at_ms)

    async def _fire(self, name: str) -> int:
        """Make a timer's call; return when to look for it again, 0 when that is known otherwise."""
        told = await self._send(Message(MessageKind.EXPIRE, TIMER, name)).wait()
        if told.failure is not None:
            return self._clock.now_ms() + RETRY_MS
        if not told.payload:
            return 0  # it was cancelled, or has another time now
        firing = _FIRING.decode(told.payload)
        answer = await self._answer(firing.message)
        outcome = _ENCODER.encode(Outcome(firing.token, answer.failure))
        told = await self._send(
            Message(MessageKind.COMMAND, TIMER, name, FIRED, outcome, Encoding.MSGPACK)
        ).wait()
        if told.failure is not None:
            log.warning("timer %r will fire again: %s", name, told.failure.message)
            return self._clock.now_ms() + RETRY_MS
        settled = _SETTLED.decode(told.payload)
        self._tell(name, firing.message, answer.failure, settled)
        return self._clock.now_ms() if settled.dropped else settled.due_ms

    async def _answer(self, message: Message) -> Reply:
        assert self._reach is not None, "nothing fires before `connect`"
        try:
            return await self._reach.ask(message)
        except Exception:
            log.exception("a timer's call was not answered [%s]", message.correlation_id)
            return Reply(failure=failures.bug(message.correlation_id))

    def _tell(self, name: str, message: Message, failure: Failure | None, settled: Settled) -> None:
        if failure is None:
            self._observer.timer_fired("ok")
            return
        self._observer.timer_fired("given_up" if settled.given_up else "failed")
        said = (
            *(name, message.component, message.entity, message.method),
            *(settled.attempt, failure.number, failure.message),
        )
        if settled.given_up:
            log.error("timer %r: %s %r.%s is given up after attempt %d: %s %s", *said)
        elif settled.attempt == 1 or settled.attempt % TOLD_EVERY == 0:
            log.warning("timer %r: %s %r.%s failed, attempt %d: %s %s", *said)


_ENCODER = msgspec.msgpack.Encoder()
_FIRING = msgspec.msgpack.Decoder(Firing)
_SETTLED = msgspec.msgpack.Decoder(Settled)
