"""The driver: steps actors and sends what they wrote to the commit queue.

Theory of operation. A step is pure and takes no time that matters, so there is no task per actor:
a message to a live actor is stepped at once, on the loop, and what it wrote joins the commit
queue as a flight. The next command sees the speculative instance right away; at most
`speculation_max` commands of an actor are under way like that, so that a hot key is not bound by
the disk.

What leaves when. Nothing that an answer rests on may be missing after a crash (architecture 6):

    answer to                       leaves
    a command that wrote            when its append is durable
    a command that wrote nothing,   when the actor's last append in flight is durable, if the shard
      a domain error, a fault       is still ours then
    a query                         at once: it saw the durable instance alone
    the same key again              with the first one's append, or as the store remembers it

User code that raises costs the actor its instances (ES-82), but not the appends in flight, which
were good before it ran: the actor is rebuilt when they have landed.

Idempotency keys (architecture 12). A key at work in the actor is joined; else the store is asked,
unless the actor has no record at all. A key counts for `keys_kept_ms` by record time. What is
remembered under it is the behavior's business; the host only finds it.

An actor kind that runs elsewhere is stepped there, one message at a time; what comes back goes the
same way (`away`).

Commands that are held (`Step.hold`) stay in the mailbox, in order, until a record of the actor has
landed; queries, and what the host itself tells the actor, pass them.

What the loop runs is written down for the watchdog around all user code. A component that it has
blocked is refused (AK3007) before anything of the message is started.
"""

from __future__ import annotations

import logging
import secrets
from functools import partial
from typing import Any

from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.actor import Actor, Flight, Lookup, State, Turn
from actorkalix_cluster.shardhost.behavior import BehaviorError, BehaviorFault, Step
from actorkalix_cluster.shardhost.commits import CommitQueue
from actorkalix_cluster.shardhost.elsewhere import Elsewhere
from actorkalix_cluster.shardhost.live import LiveActors
from actorkalix_cluster.shardhost.lookups import Used
from actorkalix_cluster.shardhost.messages import SEVERAL, Message, MessageKind, Reply
from actorkalix_cluster.shardhost.parts import Parts
from actorkalix_cluster.shardhost.several import Several
from actorkalix_cluster.shardhost.ticket import Stage, Ticket
from actorkalix_cluster.shardhost.watchdog import Doing
from actorkalix_storage.api import AHEAD_BYTES, Append, StoredRecord, StoreError

log = logging.getLogger("actorkalix.entity")

# Bound here, for to look up a member of an enum takes 0.1 us, and a message asks for many.
_QUERY, _COMMAND = MessageKind.QUERY, MessageKind.COMMAND
_LIVE, _WAITING = State.LIVE, Stage.WAITING


class Driver:
    """Takes messages to live actors. See the head of this file."""

    def __init__(self, parts: Parts, commits: CommitQueue, live: LiveActors) -> None:
        self._clock = parts.clock
        self._limits = parts.limits
        self._speculation_max = parts.limits.speculation_max
        self._shards = parts.shards
        self._desk = parts.desk
        self._watch = parts.watch
        self._commits = commits
        self._live = live
        self.several = Several(parts, live, self)

    # ---- messages -----------------------------------------------------------------------------
    def take(self, actor: Actor, ticket: Ticket) -> None:
        """A message for an actor in memory."""
        now_ms = self._clock.now_ms()
        self._live.used(actor, now_ms)
        if actor.state is _LIVE and not actor.away:
            if ticket.message.kind is _QUERY:
                self._query(actor, ticket, now_ms)
                return
            passes = not actor.mailbox or (actor.held and _passes(ticket))
            if passes and self._has_room(actor):
                self._command(actor, ticket, now_ms)
                return
        if actor.held:
            actor.mailbox = [each for each in actor.mailbox if each.stage is _WAITING]
        if (
            len(actor.mailbox) + len(actor.keys) >= self._limits.mailbox_max
            and ticket.message.kind is not MessageKind.CONTROL
        ):
            self._refuse_load(ticket, f"{actor.component} {actor.entity!r} has a full mailbox")
        else:
            actor.mailbox.append(ticket)

    def go_on(self, actor: Actor) -> None:
        """Something changed for an actor: it was loaded, flights have landed, a key was found."""
        while actor.state is _LIVE and not actor.away and (ticket := _next(actor)) is not None:
            query = ticket.message.kind is _QUERY
            if ticket.stage is _WAITING and not query and not self._has_room(actor):
                return
            actor.mailbox.remove(ticket)  # before it is stepped: that may hand the mailbox on
            if ticket.stage is not _WAITING:
                continue  # taken back, or answered by a host that stops
            if query:
                self._query(actor, ticket, self._clock.now_ms())
            else:
                self._command(actor, ticket, self._clock.now_ms())
        self._drop_if_over(actor)

    def _drop_if_over(self, actor: Actor) -> None:
        """A broken actor with nothing in flight is rebuilt; on a lost shard nothing stays."""
        if actor.flights or actor.away or not self._live.has(actor):
            return
        if actor.state is State.BROKEN:
            self._live.drop(actor, Turn.LANDED)
        elif not actor.shard.owned:
            self._live.drop(actor, Turn.LOST)

    def _has_room(self, actor: Actor) -> bool:
        under_way = len(actor.flights) + actor.resting
        return under_way < self._speculation_max and not actor.ahead

    def _refuse_load(self, ticket: Ticket, what: str) -> None:
        failure = failures.overloaded(what, self._limits.retry_after_ms)
        self._desk.answer(ticket, Reply(failure=failure))

    def _may_not_start(self, actor: Actor, ticket: Ticket, now_ms: int) -> bool:
        """Refuse what is blocked, of a lost shard, or too late."""
        deadline_ms = ticket.message.deadline_ms
        if actor.component in self._watch.off:
            failure = failures.component_blocked(actor.component)
        elif not actor.shard.owned:
            failure = failures.owner_away(actor.shard.number, self._limits.retry_after_ms)
        elif 0 < deadline_ms < now_ms:
            failure = failures.deadline_passed()
        else:
            return False
        self._desk.answer(ticket, Reply(failure=failure))
        return True

    def _run(self, actor: Actor, instance: Any, message: Message, now_ms: int) -> Step[Any] | Reply:
        """Step; a reply alone when the behavior refused or user code raised."""
        watch = self._watch
        try:
            watch.work = (now_ms, message)
            try:
                step = actor.behavior.step(instance, message, now_ms)
            finally:
                watch.work = None  # before the log is written, which may take its time
            if step.fault is not None:
                log.error("%s %r failed", actor.component, actor.entity, exc_info=step.fault)
            return step
        except BehaviorError as error:
            return _refusal(error, message)
        except Exception:
            correlation_id = message.correlation_id or secrets.token_hex(8)
            log.exception(
                "%s %r.%s failed, correlation id %s",
                *(message.component, message.entity, message.method, correlation_id),
            )
            actor.turn(Turn.BROKE)  # the instances are not to be trusted any more
            return Reply(failure=failures.unexpected(correlation_id))

    # ---- queries ------------------------------------------------------------------------------
    def _query(self, actor: Actor, ticket: Ticket, now_ms: int) -> None:
        if self._may_not_start(actor, ticket, now_ms):
            return
        ticket.begin()
        now_ms = self._shards.now_ms(actor.shard)
        if isinstance(actor.behavior, Elsewhere):
            self._live.away.run(actor, actor.durable, ticket, now_ms, self._queried)
        else:
            step = self._run(actor, actor.durable, ticket.message, now_ms)
            self._queried(actor, ticket, step)

    def _queried(self, actor: Actor, ticket: Ticket, step: Step[Any] | Reply) -> None:
        if isinstance(step, Reply):
            self.leave(actor, ticket, step)
            self._drop_if_over(actor)
            return
        assert not step.records, "a query has no records"
        self.leave(actor, ticket, step.reply)

    # ---- commands -----------------------------------------------------------------------------
    def _command(self, actor: Actor, ticket: Ticket, now_ms: int) -> None:
        """A message that may write, to a live actor with room for it."""
        if self._may_not_start(actor, ticket, now_ms):
            return
        message = ticket.message
        if not message.key or message.kind is not _COMMAND:
            self._step(actor, ticket, b"")
            return
        if message.key == SEVERAL and self.several.command(actor, ticket):
            return
        key = actor.behavior.key_hash(message)
        at_work = actor.keys.get(key)
        if at_work is not None:
            if isinstance(at_work, Flight):
                ticket.begin()  # the first one runs: what becomes of it is this one's outcome
            at_work.joined.append(ticket)
            actor.resting += 1
        elif actor.behavior.version(actor.durable) == 0:
            self._step(actor, ticket, key)
        else:
            self._look_up(actor, ticket, key)

    def _step(self, actor: Actor, ticket: Ticket, key: bytes) -> None:
        if self._commits.full:
            self._refuse_load(ticket, "too many commands wait for the disk")
            return
        now_ms = self._shards.now_ms(actor.shard)
        if isinstance(actor.behavior, Elsewhere):
            ticket.begin()
            then = partial(self._stepped, key=key)
            self._live.away.run(actor, actor.speculative, ticket, now_ms, then)
        else:
            step = self._run(actor, actor.speculative, ticket.message, now_ms)
            if isinstance(step, Step) and step.hold:
                actor.held = True  # whoever waits for a flight is told by its landing
                actor.mailbox.insert(0, ticket)
                return
            ticket.begin()
            self._stepped(actor, ticket, step, key=key)

    def _stepped(
        self, actor: Actor, ticket: Ticket, step: Step[Any] | Reply, *, key: bytes
    ) -> None:
        """What a command has come to: an append that leaves, or an answer."""
        behavior, shard = actor.behavior, actor.shard
        if isinstance(step, Reply):
            self._answer_after_flights(actor, ticket, step)
            self._drop_if_over(actor)
            return
        if not step.records:
            self._answer_after_flights(actor, ticket, step.reply)
            return
        records, instance = step.records, step.instance
        append = Append(shard.number, shard.epoch, behavior.version(actor.speculative), records)
        size = 0
        for record in records:
            size += len(record.payload) + len(record.reply)
        due, forget, fire, halt = step.snapshot_due, step.forget, step.fire, step.halt
        flight = Flight(
            actor, append, instance, ticket, step.reply, size, key, due, forget, fire, halt
        )
        is_here = not isinstance(behavior, Elsewhere)  # there the step has been made, and counts
        if size > AHEAD_BYTES and is_here and not self._commits.takes(flight):
            self._refuse_load(ticket, "too many large states wait for the disk")
            return
        if key:
            actor.keys[key] = flight
        actor.speculative = instance
        actor.flights.append(flight)
        shard.time_ms = records[-1].time_ms
        self._commits.put(flight)

    def _answer_after_flights(self, actor: Actor, ticket: Ticket, reply: Reply) -> None:
        """The answer rests on the speculative instance and may not leave before that is durable."""
        if actor.flights:
            actor.resting += 1
            actor.flights[-1].rests.append((ticket, reply))
        else:
            self.leave(actor, ticket, reply)

    def leave(self, actor: Actor, ticket: Ticket, reply: Reply) -> None:
        """Let an answer go that wrote nothing and rests on what is durable."""
        shard = actor.shard
        if not shard.owned:
            failure = failures.owner_away(shard.number, self._limits.retry_after_ms)
            self._desk.answer(ticket, Reply(failure=failure))
            return
        self._desk.answer(ticket, placed(reply, actor))

    # ---- idempotency keys ---------------------------------------------------------------------
    def _look_up(self, actor: Actor, ticket: Ticket, key: bytes) -> None:
        lookup = Lookup(ticket)
        actor.keys[key] = lookup
        actor.resting += 1
        actor.away = isinstance(actor.behavior, Elsewhere)  # else others would always go first
        shard, component, entity = actor.shard.number, actor.component, actor.entity
        self._live.lookups.put(
            *(shard, component, entity, (key,)),
            lambda used: self._looked_up(actor, key, lookup, used),
        )

    def _looked_up(self, actor: Actor, key: bytes, lookup: Lookup, used: Used) -> None:
        del actor.keys[key]
        actor.away = False
        actor.resting -= len(lookup.joined)
        waiting = [ticket for ticket in lookup.joined if ticket.stage is _WAITING]
        if isinstance(used, Exception):
            self._unasked(actor, waiting, used)
        elif actor.component in self._watch.off:
            failure = failures.component_blocked(actor.component)
            for ticket in waiting:
                self._desk.answer(ticket, Reply(failure=failure))
        elif used and self._counts(actor, used[0]):
            for ticket in waiting:
                ticket.begin()
                reply = self.remembered(actor, ticket.message, used[0].record.reply)
                self.leave(actor, ticket, reply)
        elif waiting:
            self._first_of_its_key(actor, key, waiting)
        self.go_on(actor)
        self._live.make_room()

    def _unasked(self, actor: Actor, waiting: list[Ticket], error: Exception) -> None:
        """The store could not say whether a key was used."""
        log.error("a key of %s %r was not looked up", actor.component, actor.entity, exc_info=error)
        for ticket in waiting:
            failure = (
                failures.of_store(error)
                if isinstance(error, StoreError)
                else failures.bug(ticket.message.correlation_id)
            )
            self._desk.answer(ticket, Reply(failure=failure))

    def _first_of_its_key(self, actor: Actor, key: bytes, waiting: list[Ticket]) -> None:
        first, *others = waiting
        if actor.state is _LIVE and self._live.has(actor) and self._has_room(actor):
            if not self._may_not_start(actor, first, self._clock.now_ms()):
                self._step(actor, first, key)
        else:
            others = waiting
        for ticket in others:
            self._again(actor, ticket)

    def _again(self, actor: Actor, ticket: Ticket) -> None:
        """Begin anew with a message whose actor may have been replaced meanwhile."""
        present = self._live.get(actor.component, actor.entity)
        if present is not None:
            self.take(present, ticket)
        elif actor.shard.owned:
            self._live.load(actor.behavior, ticket, actor.shard)
        else:
            self.leave(actor, ticket, Reply())

    def _counts(self, actor: Actor, found: StoredRecord) -> bool:
        kept_until_ms = found.record.time_ms + self._limits.keys_kept_ms
        return kept_until_ms > self._shards.now_ms(actor.shard)

    def remembered(self, actor: Actor, message: Message, stored: bytes) -> Reply:
        """The answer under a key that was used before."""
        now_ms = self._clock.now_ms()
        try:
            with self._watch.doing(Doing.REMEMBERED, actor.component, actor.entity, now_ms):
                return actor.behavior.remembered(message, stored)
        except BehaviorError as error:
            return _refusal(error, message)
        except Exception:
            correlation_id = message.correlation_id or secrets.token_hex(8)
            log.exception(
                "the stored reply of %s %r cannot be read, correlation id %s",
                *(actor.component, actor.entity, correlation_id),
            )
            return Reply(failure=failures.unexpected(correlation_id))


def _passes(ticket: Ticket) -> bool:
    """It does not wait for commands that are held."""
    return ticket.message.kind is not _COMMAND


def _next(actor: Actor) -> Ticket | None:
    """The message that comes next; over and above those that are held."""
    if not actor.held:
        return actor.mailbox[0] if actor.mailbox else None
    return next((each for each in actor.mailbox if _passes(each)), None)


def _refusal(error: BehaviorError, message: Message) -> Reply:
    if isinstance(error, BehaviorFault):
        log.error(
            "%s %r.%s failed, correlation id %s",
            *(message.component, message.entity, message.method, message.correlation_id),
            exc_info=error.__cause__ or error,
        )
    return error.reply


def placed(reply: Reply, actor: Actor) -> Reply:
    """The reply with the place of the newest record of the actor, on which it rests."""
    return Reply(
        reply.payload,
        reply.failure,
        reply.metadata,
        actor.shard.number,
        actor.position,
        reply.replayed,
        reply.forward,
    )
