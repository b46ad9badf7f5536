"""What is due of actors that have something done then, and what became of it.

Theory of operation. Named timers have calls made, workflows have their steps run. Both are actors
of which the newest record says when they are due; so the store's due times are all that is known of
those that wait. A look of the host hands in what is due, a landing what is due at once, and each
becomes a firing of three messages:

    EXPIRE --> the actor: is it its time? ---- no: over
      | yes: the call, and a token that names this firing
      v
    the call --> whomever it names, on any host; a step, whoever runs steps
      | an answer, or a failure
      v
    "fired" --> the actor: writes what follows (gone, the next time, another attempt, the next step)

The actor is still due until the last step is durable. So a host that dies in between leaves it to
whoever looks next: it fires at least once. A token that does not count any more (another timer of
that name, a workflow that was terminated meanwhile) is told that it is `dropped`; where that is
known earlier, by `halt`, the call is cancelled. A firing that is to be looked at again (`look_ms`)
asks its actor then, and goes on waiting unless that halts it.

Invariants: one firing of an actor at a time; at most so many at all, and a few times as many that
wait for one to end, so that the store is asked rarely; whoever fires again waits behind them.
Nothing fires before `connect`, for until then calls cannot leave the host. Firings are tasks of
their own: a call that takes its time holds up nobody but its own actor.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Protocol, TypeAlias

import msgspec

from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.fired import FIRED, TIMER, Firing, Outcome, Settled
from actorkalix_cluster.shardhost.messages import Encoding, Failure, Message, MessageKind, Reply
from actorkalix_cluster.shardhost.parts import Parts
from actorkalix_cluster.shardhost.ticket import Ticket

log = logging.getLogger("actorkalix.timers")

TOLD_EVERY = 10  # of the attempts of one firing, after the first: 1 in 5 minutes at 30 s each
RETRY_MS = 1_000
QUEUED_A_FIRING = 4  # actors that wait for one of those under way to end


Subject: TypeAlias = tuple[str, str]
"""Component and id of an actor."""


class Reach(Protocol):
    """Sends a message to whomever it names, on any host."""

    async def ask(self, message: Message, /) -> Reply: ...


class Firings:
    """Firings under way, of one kind of actors.

    Args:
        parts: of the host.
        send: to the host's own actors.
        due_at: is told when to look for due actors again.
        firings_max: at once.
    """

    def __init__(
        self,
        parts: Parts,
        send: Callable[[Message], Ticket],
        due_at: Callable[[int], object],
        firings_max: int,
    ) -> None:
        self._clock = parts.clock
        self._observer = parts.observer
        self._max = firings_max
        self._send = send
        self._due_at = due_at
        self._reach: Reach | None = None
        self._tasks: dict[Subject, asyncio.Task[None]] = {}
        self._calls: dict[Subject, asyncio.Task[Reply]] = {}  # those that are made just now
        self._again: set[Subject] = set()  # due anew before their firing has ended
        self._queue: dict[Subject, None] = {}  # in the order in which they became due
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
        """From now on actors fire."""
        self._reach = reach
        self._due_at(self._clock.now_ms())

    def stop(self) -> None:
        """Wait for no call any more; each is made again by whoever has its actor next."""
        self._stopped = True
        self._queue.clear()
        for task in self._tasks.values():
            task.cancel()

    def may_begin(self, subject: Subject) -> bool:
        """The actor is not about to fire, and actors fire."""
        waits = subject in self._tasks or subject in self._queue
        return self._reach is not None and not waits

    def begin(self, subjects: Iterable[Subject]) -> None:
        """Fire these, as far as there is room; who is left over is asked for again."""
        for subject in subjects:
            if len(self._queue) >= self._max * QUEUED_A_FIRING:
                self._starved = True
                break
            if self.may_begin(subject):
                self._queue[subject] = None
        self._go_on()

    def fire(self, subject: Subject) -> None:
        """Something of this actor has become due, by a record that has just landed."""
        if subject in self._tasks:
            self._again.add(subject)
        else:
            self.begin((subject,))

    def halt(self, subject: Subject) -> None:
        """What this actor has given out does not count any more."""
        call = self._calls.get(subject)
        if call is not None:
            call.cancel()

    def _go_on(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue and len(self._tasks) < self._max and not self._stopped:
            subject = next(iter(self._queue))
            del self._queue[subject]
            self._tasks[subject] = loop.create_task(self._run(subject))

    async def _run(self, subject: Subject) -> None:
        look_at_ms = 0
        try:
            look_at_ms = await self._fire(*subject)
        except Exception:
            log.exception("%s %r could not be fired", *subject)
            look_at_ms = self._clock.now_ms() + RETRY_MS
        finally:
            del self._tasks[subject]
        if subject in self._again:
            self._again.discard(subject)
            look_at_ms = 0  # what is due of it is known
            self.begin((subject,))
        else:
            self._go_on()
        if self._starved and len(self._queue) <= self._max:
            self._starved = False
            self._due_at(self._clock.now_ms())
        elif look_at_ms:
            self._due_at(look_at_ms)

    async def _fire(self, component: str, entity: str) -> int:
        """Make an actor's call; return when to look for it again, 0 if that is known otherwise."""
        firing = await self._given(component, entity)
        if not isinstance(firing, Firing):
            return firing
        began_ms = self._clock.now_ms()
        answer = await self._call(component, entity, firing)
        if answer is None:
            return 0  # who has halted it has written what follows
        fired = Outcome(firing.token, answer.failure, answer.payload, began_ms)
        told = await self._send(
            Message(
                *(MessageKind.CONTROL, component, entity, FIRED, _ENCODER.encode(fired)),
                *(Encoding.MSGPACK, Encoding.MSGPACK),
            )
        ).wait()
        if told.failure is not None:
            log.warning("%s %r will fire again: %s", component, entity, told.failure.message)
            return self._clock.now_ms() + RETRY_MS
        settled = _SETTLED.decode(told.payload)
        if component == TIMER:
            self._tell(entity, firing.message, answer.failure, settled)
        return self._clock.now_ms() if settled.dropped else settled.due_ms

    async def _given(self, component: str, entity: str) -> Firing | int:
        """What the actor gives out, or when to look for it again."""
        told = await self._send(Message(MessageKind.EXPIRE, component, entity)).wait()
        if told.failure is not None:
            return self._clock.now_ms() + RETRY_MS
        if not told.payload:
            return 0  # it was cancelled, or has another time now, or has written what follows
        return _FIRING.decode(told.payload)

    async def _call(self, component: str, entity: str, firing: Firing) -> Reply | None:
        """The answer to a firing's call; None when it was halted."""
        subject = (component, entity)
        loop = asyncio.get_running_loop()
        call = self._calls[subject] = loop.create_task(self._answer(firing.message))
        look = None
        if firing.look_ms:
            delay_ms = max(0, firing.look_ms - self._clock.now_ms())
            look = self._clock.call_later(delay_ms, lambda: self._look(subject))
        try:
            await asyncio.wait((call,))
        finally:
            del self._calls[subject]
            call.cancel()
            if look is not None:
                look.cancel()
        return None if call.cancelled() else call.result()

    def _look(self, subject: Subject) -> None:
        """Ask an actor that waits for its call; what it writes may halt that."""
        self._send(Message(MessageKind.EXPIRE, *subject))

    async def _answer(self, message: Message) -> Reply:
        assert self._reach is not None, "nothing fires before `connect`"
        try:
            return await self._reach.ask(message)
        except (Exception, GeneratorExit):  # one that a handler has raised
            log.exception("a call that was due was not answered [%s]", message.correlation_id)
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
