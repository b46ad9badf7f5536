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
Nothing fires before `connect`, for until then calls cannot leave the host. A call that takes its
time holds up nobody but its own actor.

There is no task for a firing, for thousands may be due at once: it is moved on by whoever has the
answer that it waits for. Answers are told from the midst of a host's work, so they are noted, and
worked off in a turn of the loop of their own, some at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol, TypeAlias

import msgspec

from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.asked import Asked, Begins
from actorkalix_cluster.shardhost.clock import Handle
from actorkalix_cluster.shardhost.fired import FIRED, TIMER, Firing, Outcome, Settled
from actorkalix_cluster.shardhost.messages import Encoding, Failure, Message, MessageKind, Reply
from actorkalix_cluster.shardhost.parts import Parts
from actorkalix_cluster.shardhost.ticket import Tell, Ticket

log = logging.getLogger("actorkalix.timers")

TOLD_EVERY = 10  # of the attempts of one firing, after the first: 1 in 5 minutes at 30 s each
RETRY_MS = 1_000
QUEUED_A_FIRING = 4  # actors that wait for one of those under way to end
UNANSWERED = "a call that was due was not answered [%s]"
WORKED_OFF_MAX = 64  # in one turn of the loop: some 3 ms


Subject: TypeAlias = tuple[str, str]
"""Component and id of an actor."""


class Reach(Protocol):
    """Sends a message to whomever it names, on any host."""

    async def ask(self, message: Message, /) -> Reply: ...


class Fire:
    """A firing under way.

    Attributes:
        subject: whose.
        firing: what the actor has given out, while it is made.
        began_ms: when that began.
        asked: it, as long as it has no answer.
        look: the time at which the actor is asked again.
    """

    __slots__ = ("asked", "began_ms", "firing", "look", "subject")

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.firing: Firing | None = None
        self.began_ms = 0
        self.asked: Asked | None = None
        self.look: Handle | None = None

    def over(self) -> None:
        """The call is answered, or does not count any more."""
        self.asked = None
        if self.look is not None:
            self.look.cancel()
            self.look = None


_GoOn: TypeAlias = Callable[[Fire, Reply], None]


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
        self._reach: Begins | None = None
        self._fires: dict[Subject, Fire] = {}
        self._calls: dict[Subject, Fire] = {}  # of them, those whose call is made just now
        self._again: set[Subject] = set()  # due anew before their firing has ended
        self._queue: dict[Subject, None] = {}  # in the order in which they became due
        self._news: deque[tuple[_GoOn, Fire, Reply]] = deque()
        self._told = False  # the loop will work off the news
        self._starved = False
        self._stopped = False

    def __len__(self) -> int:
        return len(self._fires) + len(self._queue)

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
        self._reach = reach if isinstance(reach, Begins) else _InTasks(reach)
        self._due_at(self._clock.now_ms())

    def stop(self) -> None:
        """Wait for no call any more; each is made again by whoever has its actor next."""
        self._stopped = True
        self._queue.clear()
        self._news.clear()
        self._calls.clear()
        fires, self._fires = self._fires, {}
        for fire in fires.values():
            self._drop(fire)

    def may_begin(self, subject: Subject) -> bool:
        """The actor is not about to fire, and actors fire."""
        waits = subject in self._fires or subject in self._queue
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
        if subject in self._fires:
            self._again.add(subject)
        else:
            self.begin((subject,))

    def halt(self, subject: Subject) -> None:
        """What this actor has given out does not count any more."""
        fire = self._calls.pop(subject, None)
        if fire is not None:
            self._note(self._halted, fire, _NOTHING)

    def _go_on(self) -> None:
        while self._queue and len(self._fires) < self._max and not self._stopped:
            subject = next(iter(self._queue))
            del self._queue[subject]
            fire = self._fires[subject] = Fire(subject)
            self._note(self._expire, fire, _NOTHING)

    # ---- news ------------------------------------------------------------------------------------
    def _note(self, go_on: _GoOn, fire: Fire, reply: Reply) -> None:
        self._news.append((go_on, fire, reply))
        if not self._told:
            self._told = True
            asyncio.get_running_loop().call_soon(self._work_off)

    def _work_off(self) -> None:
        for _ in range(min(len(self._news), WORKED_OFF_MAX)):
            go_on, fire, reply = self._news.popleft()
            if self._fires.get(fire.subject) is not fire:
                continue  # it was stopped
            try:
                go_on(fire, reply)
            except Exception:
                log.exception("%s %r could not be fired", *fire.subject)
                self._calls.pop(fire.subject, None)
                self._drop(fire)
                self._end(fire, self._clock.now_ms() + RETRY_MS)
        self._told = bool(self._news)
        if self._told:
            asyncio.get_running_loop().call_soon(self._work_off)

    def _tell_actor(self, message: Message, go_on: _GoOn, fire: Fire) -> None:
        ticket = self._send(message)
        if ticket.reply is not None:
            go_on(fire, ticket.reply)
        else:
            ticket.then(lambda reply: self._note(go_on, fire, reply))

    # ---- the course of a firing ------------------------------------------------------------------
    def _expire(self, fire: Fire, _: Reply) -> None:
        self._tell_actor(Message(MessageKind.EXPIRE, *fire.subject), self._given, fire)

    def _given(self, fire: Fire, told: Reply) -> None:
        if told.failure is not None:
            self._end(fire, self._clock.now_ms() + RETRY_MS)
        elif not told.payload:
            self._end(fire, 0)  # cancelled, or it has another time now, or has written what follows
        else:
            self._call(fire, _FIRING.decode(told.payload))

    def _call(self, fire: Fire, firing: Firing) -> None:
        assert self._reach is not None, "nothing fires before `connect`"
        now_ms = self._clock.now_ms()
        fire.firing, fire.began_ms = firing, now_ms
        self._calls[fire.subject] = fire
        if firing.look_ms:
            look, delay_ms = Message(MessageKind.EXPIRE, *fire.subject), firing.look_ms - now_ms
            # It waits for its call; what the actor writes then may halt that.
            fire.look = self._clock.call_later(max(0, delay_ms), lambda: self._send(look))
        message = firing.message
        try:
            answer = self._reach.begin(message, lambda said: self._note(self._answered, fire, said))
        except Exception:
            log.exception(UNANSWERED, message.correlation_id)
            answer = Reply(failure=failures.bug(message.correlation_id))
        if isinstance(answer, Reply):
            self._answered(fire, answer)
        else:
            fire.asked = answer

    def _answered(self, fire: Fire, answer: Reply) -> None:
        if self._calls.pop(fire.subject, None) is None:
            return  # who has halted it has written what follows
        fire.over()
        assert fire.firing is not None, "it was called"
        fired = Outcome(fire.firing.token, answer.failure, answer.payload, fire.began_ms)
        message = Message(
            *(MessageKind.CONTROL, *fire.subject, FIRED, _ENCODER.encode(fired)),
            *(Encoding.MSGPACK, Encoding.MSGPACK),
        )
        failure = answer.failure
        self._tell_actor(message, lambda fire, told: self._settled(fire, told, failure), fire)

    def _settled(self, fire: Fire, told: Reply, failure: Failure | None) -> None:
        component, entity = fire.subject
        if told.failure is not None:
            log.warning("%s %r will fire again: %s", component, entity, told.failure.message)
            self._end(fire, self._clock.now_ms() + RETRY_MS)
            return
        settled = _SETTLED.decode(told.payload)
        if component == TIMER and fire.firing is not None:
            self._tell(entity, fire.firing.message, failure, settled)
        self._end(fire, self._clock.now_ms() if settled.dropped else settled.due_ms)

    def _halted(self, fire: Fire, _: Reply) -> None:
        self._drop(fire)
        self._end(fire, 0)

    def _drop(self, fire: Fire) -> None:
        asked = fire.asked
        fire.over()
        if asked is not None and self._reach is not None:
            self._reach.drop(asked)

    def _end(self, fire: Fire, look_at_ms: int) -> None:
        """A firing is over; look for its actor then, unless that is known otherwise (0)."""
        subject = fire.subject
        del self._fires[subject]
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


class _InTasks:
    """A `Reach` that has only `ask`."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._tasks: dict[Asked, asyncio.Task[None]] = {}

    def begin(self, message: Message, tell: Tell, /) -> Asked:
        asked = Asked(tell)
        self._tasks[asked] = asyncio.get_running_loop().create_task(self._ask(asked, message))
        return asked

    def drop(self, asked: Asked, /) -> None:
        asked.forget()
        task = self._tasks.get(asked)
        if task is not None:
            task.cancel()

    async def _ask(self, asked: Asked, message: Message) -> None:
        try:
            reply = await self._reach.ask(message)
        except (Exception, GeneratorExit):  # one that a handler has raised
            log.exception(UNANSWERED, message.correlation_id)
            reply = Reply(failure=failures.bug(message.correlation_id))
        finally:
            del self._tasks[asked]
        asked.tell(reply)


_NOTHING = Reply()
_ENCODER = msgspec.msgpack.Encoder()
_FIRING = msgspec.msgpack.Decoder(Firing)
_SETTLED = msgspec.msgpack.Decoder(Settled)
