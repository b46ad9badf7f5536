"""What comes back from a commit: instances become durable, answers leave, failures spread.

Theory of operation. Flights of an actor land in the order in which they left, so the first of an
actor's flights is always the one that an outcome is about. An append that was left out takes
along every later flight of its actor, wherever it is: each was worked out on a state that never
came to be. Those that still wait in the commit queue are voided there, those in the same batch
were refused by the store as well, for their version does not fit any more. The actor is dropped
and comes back from storage with the next message.

    outcome                              the command and what       the actor
                                         rested on it
    Appended                             their replies              goes on
    Refused: version, invalid            AK3006 not executed        dropped
    Refused: epoch, sealed, damaged      AK3006 not executed        dropped; the shard is lost
    StoreFull, all of the batch          AK3003 not executed        dropped
    anything else that was raised        AK3102 unknown             the host ends
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.actor import Actor, Flight, State, Turn
from actorkalix_cluster.shardhost.away import broken
from actorkalix_cluster.shardhost.committer import Outcomes
from actorkalix_cluster.shardhost.consumers import Consumers
from actorkalix_cluster.shardhost.driver import Driver, placed
from actorkalix_cluster.shardhost.elsewhere import Elsewhere
from actorkalix_cluster.shardhost.feeds import Feeds
from actorkalix_cluster.shardhost.live import LiveActors
from actorkalix_cluster.shardhost.messages import Failure, Reply
from actorkalix_cluster.shardhost.parts import Parts
from actorkalix_cluster.shardhost.timers import Timers
from actorkalix_cluster.shardhost.upkeep import Upkeep
from actorkalix_storage.api import Appended, Position, RefusalKind, Refused, StoreFull

log = logging.getLogger("actorkalix.store")
_LIVE = State.LIVE  # bound here: to look it up takes 0.1 us

LOSES_SHARD = (RefusalKind.OLD_EPOCH, RefusalKind.SEALED, RefusalKind.DAMAGED)


class Landing:
    """Takes the outcomes of commits."""

    def __init__(
        self,
        parts: Parts,
        driver: Driver,
        live: LiveActors,
        upkeep: Upkeep,
        timers: Timers,
        on_fatal: Callable[[Exception], object],
    ) -> None:
        self._shards = parts.shards
        self._desk = parts.desk
        self._driver = driver
        self._live = live
        self._upkeep = upkeep
        self._timers = timers
        self._on_fatal = on_fatal
        self.consumers: Consumers | None = None  # told of what lands, since they began
        self.feeds: Feeds | None = None  # likewise

    def settle(self, batch: list[Flight], outcome: Outcomes | Exception) -> None:
        """The outcome of a batch, in its order."""
        self._upkeep.committed()
        if isinstance(outcome, StoreFull):
            log.error("the store is full: %s", outcome)
            for flight in batch:
                if not flight.void:
                    self._fail(flight.actor, failures.store_full(str(outcome)))
            return
        if isinstance(outcome, Exception):
            self._on_fatal(outcome)
            return
        touched: dict[Actor, None] = {}
        for flight, one in zip(batch, outcome, strict=True):
            if flight.void:
                assert isinstance(one, Refused), "what rests on a refused append cannot be stored"
            elif isinstance(one, Appended):
                self._landed(flight, one.position)
                actor = flight.actor
                if actor.mailbox or actor.state is not _LIVE or not actor.shard.owned:
                    touched[actor] = None
            else:
                self._refused(flight, one)
        for actor in touched:  # last: what they step now must not rest on what is still to be told
            if self._live.has(actor):
                self._driver.go_on(actor)
        self._live.make_room()

    # ---- landed -------------------------------------------------------------------------------
    def _landed(self, flight: Flight, position: Position) -> None:
        actor, append = flight.actor, flight.append
        assert actor.flights[0] is flight, "flights land in order"
        del actor.flights[0]
        actor.durable = flight.instance
        actor.position = position
        if append.version == 0:
            actor.incarnation = position.offset - len(append.records) + 1
        self._desk.answer(flight.ticket, placed(flight.reply, actor))
        if flight.key:
            del actor.keys[flight.key]
            stored = append.records[-1].reply
            for ticket in flight.joined:
                reply = self._driver.remembered(actor, ticket.message, stored)
                self._desk.answer(ticket, placed(reply, actor))
        elif flight.parts:
            self._driver.several.landed(flight)
        actor.resting -= len(flight.joined) + len(flight.rests)
        for ticket, reply in flight.rests:
            self._driver.leave(actor, ticket, reply)
        if flight.snapshot_due:
            self._snapshot(actor, flight.instance, position)
        self._look_at_times(flight)
        if self.consumers is not None:
            self.consumers.landed(append, position)
        if self.feeds is not None:
            self.feeds.landed(append, position, actor.incarnation)
        if flight.forget and not actor.busy:
            self._live.drop(actor, Turn.FORGOTTEN)

    def _snapshot(self, actor: Actor, instance: Any, position: Position) -> None:
        if isinstance(actor.behavior, Elsewhere):
            incarnation, keep = actor.incarnation, self._upkeep.keep
            self._live.away.snapshot(
                actor, instance, lambda made: keep(actor, made, incarnation, position)
            )
        else:
            self._upkeep.snapshot(actor, instance, position)

    def _look_at_times(self, flight: Flight) -> None:
        actor = flight.actor
        actor.held = False
        if flight.halt:
            self._timers.halt(actor.component, actor.entity)
        expires_ms = flight.append.records[-1].expires_ms
        if flight.fire:
            self._timers.fire(actor.component, actor.entity)
        elif expires_ms:
            self._timers.written(actor.component, expires_ms)

    # ---- left out -----------------------------------------------------------------------------
    def _refused(self, flight: Flight, refused: Refused) -> None:
        actor = flight.actor
        log.error(
            "%s %r: an append was left out, %s: %s",
            *(actor.component, actor.entity, refused.kind.value, refused.reason),
        )
        failure = failures.not_committed(refused.reason)
        if refused.kind in LOSES_SHARD and actor.shard.owned:
            if refused.kind is RefusalKind.DAMAGED:
                self._shards.found_damaged(actor.shard, refused.reason)
            else:
                self._shards.lose(actor.shard)
            if self.consumers is not None:
                self.consumers.lost(actor.shard.number)
            if self.feeds is not None:
                self.feeds.lost(actor.shard.number)
            self._live.drop_shard(actor.shard, Reply(failure=failure))
        self._fail(actor, failure)

    def _fail(self, actor: Actor, failure: Failure) -> None:
        """Nothing of what an actor has in flight is stored or will be."""
        reply = Reply(failure=failure)
        flights, actor.flights = actor.flights, []
        for flight in flights:
            flight.void = True
            actor.resting -= len(flight.joined) + len(flight.rests)
            for ticket in (flight.ticket, *flight.joined, *(ticket for ticket, _ in flight.rests)):
                self._desk.answer(ticket, reply)
            for key in (flight.key, *flight.parts):
                actor.keys.pop(key, None)
        if actor.away:
            broken(actor)  # it goes when its message is back
        else:
            self._live.drop(actor, Turn.REFUSED)
