"""What the driver and the live actors do with actors that run elsewhere. See `elsewhere`.

Theory of operation. While a message is at an actor's place, `Actor.away` is set: the others wait in
its mailbox, in their order, and it is not dropped; what ends it meanwhile breaks it, and it goes
when the message is back. What comes back is a `Step` as any other, with a `Shadow` for an instance:
its records join the commit queue, its answer waits for them, the next command runs on it before
they are durable.

    told by the place          the message                        the actor
    Ran                        goes on as a step                  goes on
    Refused                    is answered with that              goes on
    Raised                     AK2010 with a correlation id       broken: loaded again
    ended, hung                AK3008, not executed               broken: loaded again, elsewhere

A record's time is the shard's when it joins the commit queue: others of the shard may have written
since the message left, and a shard's time never goes back.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable

import msgspec

from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.actor import Actor, State, Turn
from actorkalix_cluster.shardhost.behavior import Step
from actorkalix_cluster.shardhost.clock import Handle
from actorkalix_cluster.shardhost.elsewhere import (
    Elsewhere,
    Load,
    Loaded,
    Ran,
    Refused,
    Run,
    Shadow,
    Shoot,
    Shot,
    answer_in,
    packed,
)
from actorkalix_cluster.shardhost.messages import Failure, Message, MessageKind, Reply
from actorkalix_cluster.shardhost.parts import Parts
from actorkalix_cluster.shardhost.residences import Entered, Residences
from actorkalix_cluster.shardhost.ticket import Stage, Ticket
from actorkalix_storage.api import History, Snapshot

log = logging.getLogger("actorkalix.entity")

LOOK_MS = 250
SOON_MS = 500  # before a deadline: so that "no room" comes before "too late"

ReplyTo = Callable[[Ticket], Reply]


class Away:
    """Speaks with the places of a host's actors.

    Args:
        parts: of the host.

    Attributes:
        residences: the places.
        on_back: goes on with an actor whose message has come back; set by the host.
    """

    def __init__(self, parts: Parts) -> None:
        self._clock = parts.clock
        self._desk = parts.desk
        self._limits = parts.limits
        self._shards = parts.shards
        self.residences = Residences(parts)
        self.on_back: Callable[[Actor], object] = broken
        self._entering: dict[Actor, tuple[int, Entered]] = {}
        self._look: Handle | None = None

    def clear(self) -> None:
        """The host has ended."""
        self._entering.clear()
        if self._look is not None:
            self._look.cancel()
        self.residences.clear()

    # ---- coming -------------------------------------------------------------------------------
    def enter(self, actor: Actor, entered: Entered) -> None:
        """Have a place for an actor that is loading; it waits for room as long as its messages."""
        assert isinstance(actor.behavior, Elsewhere), "it runs elsewhere"
        self._entering[actor] = (self._clock.now_ms(), entered)
        self.residences.enter(
            actor.behavior, _who(actor), lambda failure: self._entered(actor, failure)
        )
        if self._entering and self._look is None:
            self._look = self._clock.call_later(LOOK_MS, self._refuse_late)

    def _entered(self, actor: Actor, failure: Failure | None) -> None:
        waiting = self._entering.pop(actor, None)
        if waiting is not None:
            waiting[1](failure)

    def stays_out(self, actor: Actor) -> None:
        """An actor that was to enter is dropped."""
        if self._entering.pop(actor, None) is not None:
            self.residences.gives_up(_who(actor))

    def _refuse_late(self) -> None:
        self._look = None
        now_ms, start_ms = self._clock.now_ms(), self._limits.residence_start_ms
        for actor, (since_ms, entered) in list(self._entering.items()):
            if actor not in self._entering:
                continue
            failure = failures.no_room(*_who(actor), self._limits.retry_after_ms)
            for ticket in actor.mailbox:
                deadline_ms = ticket.message.deadline_ms
                if ticket.stage is Stage.WAITING and 0 < deadline_ms <= now_ms + SOON_MS:
                    self._desk.answer(ticket, Reply(failure=failure))
            actor.mailbox = [each for each in actor.mailbox if each.stage is Stage.WAITING]
            if not actor.mailbox or now_ms >= since_ms + start_ms:
                entered(failure)
        if self._entering:
            self._look = self._clock.call_later(LOOK_MS, self._refuse_late)

    def load(
        self, actor: Actor, found: History | None, loaded: Callable[[Shadow | ReplyTo], object]
    ) -> None:
        """Have the place begin with what is stored; tells the instance, or what to answer."""

        def told(answer: bytes | Failure) -> None:
            if isinstance(answer, Failure):
                loaded(lambda _: Reply(failure=answer))
                return
            match answer_in(answer):
                case Loaded(version):
                    loaded(Shadow(0, version))
                case Refused(reply):
                    log.error("%s %r cannot be loaded", *_who(actor))
                    loaded(lambda _: reply)
                case _:  # it has logged what it raised
                    ids = [ticket.message.correlation_id for ticket in actor.mailbox]
                    log.error("%s %r cannot be loaded %s", *_who(actor), ids)
                    loaded(lambda t: _unexpected(t.message.correlation_id))

        request = Load(actor.component, actor.entity, found)
        self.residences.call(_who(actor), packed(request), told)

    # ---- messages -----------------------------------------------------------------------------
    def run(
        self,
        actor: Actor,
        instance: Shadow,
        ticket: Ticket,
        now_ms: int,
        then: Callable[[Actor, Ticket, Step[Shadow] | Reply], object],
    ) -> None:
        """Step a message elsewhere.

        Args:
            actor: whose message.
            instance: that it meets.
            ticket: of the message.
            now_ms: time of the shard.
            then: goes on with what came of it; a reply alone when the behavior refused or did not
                come to its end.
        """
        assert not actor.away, "one message of an actor is away"
        actor.away = True
        message = ticket.message
        if not message.correlation_id:  # both sides say the same one
            message = msgspec.structs.replace(message, correlation_id=secrets.token_hex(8))
        run = Run(instance.number, actor.durable.number, message, now_ms)

        def told(answer: bytes | Failure) -> None:
            actor.away = False
            then(actor, ticket, self._outcome(actor, instance, message, answer))
            self.on_back(actor)

        self.residences.call(_who(actor), packed(run), told)

    def _outcome(
        self, actor: Actor, instance: Shadow, message: Message, answer: bytes | Failure
    ) -> Step[Shadow] | Reply:
        if isinstance(answer, Failure):
            broken(actor)
            return Reply(failure=answer)
        if actor.state is not State.LIVE and message.kind is not MessageKind.QUERY:
            return Reply(failure=failures.not_committed("what it rested on was not either"))
        match answer_in(answer):
            case Ran() as ran:
                return self._step(actor, instance, message, ran)
            case Refused(reply):
                return reply
            case _:  # it has logged what it raised
                broken(actor)
                return _unexpected(message.correlation_id)

    def _step(self, actor: Actor, instance: Shadow, message: Message, ran: Ran) -> Step[Shadow]:
        after, records = instance, ran.records
        if records:
            after = Shadow(instance.number + 1, ran.version)
            time_ms = actor.shard.time_ms
            if any(record.time_ms < time_ms for record in records):
                records = tuple(msgspec.structs.replace(r, time_ms=time_ms) for r in records)
        step = Step(after, records, ran.reply, ran.snapshot_due, ran.forget)
        assert isinstance(actor.behavior, Elsewhere), "it runs elsewhere"
        if actor.behavior.ran is not None:
            actor.behavior.ran(message, step)
        return step

    # ---- snapshots ----------------------------------------------------------------------------
    def snapshot(self, actor: Actor, instance: Shadow, made: Callable[[Snapshot], object]) -> None:
        """Have a snapshot made; nothing is told when there is none, the next one will do."""

        def told(answer: bytes | Failure) -> None:
            if isinstance(answer, bytes):
                shot = answer_in(answer)
                if isinstance(shot, Shot) and shot.snapshot is not None:
                    made(shot.snapshot)

        self.residences.call(_who(actor), packed(Shoot(instance.number)), told)


def broken(actor: Actor) -> None:
    """Its instances are not to be trusted any more."""
    if actor.state is State.LIVE:
        actor.turn(Turn.BROKE)


def _who(actor: Actor) -> tuple[str, str]:
    return actor.component, actor.entity


def _unexpected(correlation_id: str) -> Reply:
    return Reply(failure=failures.unexpected(correlation_id))
