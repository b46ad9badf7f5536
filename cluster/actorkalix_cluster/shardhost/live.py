"""The live actors of a host: loading, leaving memory, and being dropped.

Theory of operation. Actors stand in the order of their last use. Loading is asked of the store
beside the loop (`loads`), and messages wait in the mailbox meanwhile; when `loads_max` wait to be
loaded, a message for one more is refused. An actor leaves memory when it was idle for
`passivate_after_ms` (one timer for all, set for the oldest, some at a time so that the loop goes on
between) or when there are more than `actors_max` and it is the least recently used; never while
anything of it is under way. Nothing is written then: what is durable is in the store, what is not
must be forgotten.

A storm of ids that are asked once must not drive out what is asked again and again. An actor that
was not asked since it was loaded stands among the newcomers, too; while these are more than a tenth
of all, room is made among them, the oldest first. (This is 2Q: Johnson and Shasha, VLDB 1994.)

Room is made when loads are over, appends have landed, keys were looked up: by one of these an actor
comes, and whatever has kept one is over. So beyond `actors_max` there are only actors at work, and
those are bounded by the queues that they are in. Those that are still to be loaded do not count: a
storm of them must not drive out, before any of it is here, what is in use meanwhile.

An actor of a kind that runs elsewhere has its place first (`away`), then its history is read and
sent there; it is idle when its place is, not by the order of use.

An actor that is dropped with messages in its mailbox makes room for a new one that takes them
over. A late answer of the store finds that its actor is not the one in the table, and is
nobody's.
"""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict
from collections.abc import Callable
from time import perf_counter
from typing import Any

from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.actor import Actor, State, Turn
from actorkalix_cluster.shardhost.away import Away
from actorkalix_cluster.shardhost.behavior import Behavior, BehaviorError
from actorkalix_cluster.shardhost.clock import Handle
from actorkalix_cluster.shardhost.elsewhere import Elsewhere, Shadow
from actorkalix_cluster.shardhost.loads import Found, LoadQueue
from actorkalix_cluster.shardhost.lookups import LookupQueue
from actorkalix_cluster.shardhost.messages import Failure, Reply
from actorkalix_cluster.shardhost.parts import Parts
from actorkalix_cluster.shardhost.shards import OwnedShard
from actorkalix_cluster.shardhost.ticket import Ticket
from actorkalix_cluster.shardhost.watchdog import Doing
from actorkalix_storage.api import Damaged, History, Position, StoreError

log = logging.getLogger("actorkalix.entity")

BUSY_SKIPPED_MAX = 16  # how many busy actors are passed over in one look for room
NEWCOMERS_PART = 10  # a tenth: enough that who is asked twice within some seconds comes to stay
SWEPT_MAX = 256  # actors that leave memory in one turn of the loop: some 1 ms
_ENDS_PLACE = (Turn.IDLE, Turn.FORGOTTEN, Turn.LOST)
SWEEP_EVERY_MS = 100  # after a storm each millisecond would have some that are due


class LiveActors:
    """Actors by (component, entity)."""

    def __init__(self, parts: Parts) -> None:
        self._store = parts.store
        self._loads = LoadQueue(parts)
        self.lookups = LookupQueue(parts)
        self._loads.on_told = self.make_room
        self._shards = parts.shards
        self._desk = parts.desk
        self._clock = parts.clock
        self._limits = parts.limits
        self._observer = parts.observer
        self._watch = parts.watch
        self.away = Away(parts)
        self.away.residences.may_leave = self._may_leave
        self.away.residences.lost = self._lost_place
        self.on_live: Callable[[Actor], object] = _nothing  # set by the host: who goes on with it
        self._actors: OrderedDict[tuple[str, str], Actor] = OrderedDict()
        self._newcomers: OrderedDict[Actor, None] = OrderedDict()  # in the order of loading
        self._sweep: Handle | None = None
        self._newest_ms = 0  # no actor was used later
        self._loading = 0  # of the actors, those that are not live yet
        self.counts: Counter[str] = Counter()

    def get(self, component: str, entity: str) -> Actor | None:
        """The actor, if it is in memory (loading included)."""
        return self._actors.get((component, entity))

    def has(self, actor: Actor) -> bool:
        """It is the one in the table, not one that was dropped."""
        return self._actors.get((actor.component, actor.entity)) is actor

    def used(self, actor: Actor, now_ms: int) -> None:
        """Something was asked of it."""
        if now_ms < self._newest_ms:
            self._set_back(now_ms)
        actor.used_ms = self._newest_ms = now_ms
        self._actors.move_to_end((actor.component, actor.entity))
        if actor.newcomer and actor.state is State.LIVE:
            self._stays(actor)

    def _stays(self, actor: Actor) -> None:
        if actor.newcomer:
            actor.newcomer = False
            del self._newcomers[actor]

    def waiting(self) -> int:
        """Messages in all mailboxes."""
        return sum(len(actor.mailbox) for actor in self._actors.values())

    # ---- coming -------------------------------------------------------------------------------
    def load(self, behavior: Behavior[Any], ticket: Ticket, shard: OwnedShard) -> None:
        """Bring an absent actor into memory for this message, unless too many are on their way."""
        if self._loads.full:
            failure = failures.overloaded(
                "too many entities are being loaded", self._limits.retry_after_ms
            )
            self._desk.answer(ticket, Reply(failure=failure))
            return
        message = ticket.message
        actor = Actor(behavior, message.component, message.entity, shard)
        actor.mailbox.append(ticket)
        self._load(actor)

    def _load(self, actor: Actor) -> None:
        component, entity, shard = actor.component, actor.entity, actor.shard.number
        self._actors[component, entity] = actor
        self.counts[component] += 1
        self._loading += 1
        self.used(actor, self._clock.now_ms())
        if self._sweep is None:
            self._sweep_after(self._limits.passivate_after_ms)
        started = perf_counter()
        if isinstance(actor.behavior, Elsewhere):
            self.away.enter(actor, lambda failure: self._entered(actor, failure, started))
        else:
            self._loads.put(
                shard, component, entity, lambda found: self._loaded(actor, found, started)
            )

    def _entered(self, actor: Actor, failure: Failure | None, started: float) -> None:
        """There is a place for an actor, or none."""
        if failure is not None:
            self._unreadable(actor, lambda _: Reply(failure=failure))
            return
        self._loads.put(
            actor.shard.number,
            *(actor.component, actor.entity),
            lambda found: self._loaded(actor, found, started),
        )

    def _loaded(self, actor: Actor, found: Found, started: float) -> None:
        if not self.has(actor):
            return
        if isinstance(found, Exception):
            self._not_loaded(actor, found)
            return
        if isinstance(actor.behavior, Elsewhere):
            self.away.load(
                actor, found, lambda loaded: self._loaded_elsewhere(actor, found, loaded, started)
            )
            return
        try:
            with self._watch.doing(Doing.LOAD, actor.component, actor.entity, self._clock.now_ms()):
                if found is None:
                    instance = actor.behavior.empty(actor.entity)
                else:
                    instance = actor.behavior.restore(actor.entity, found)
        except BehaviorError as error:
            log.error("%s %r cannot be loaded: %s", actor.component, actor.entity, error)
            reply = error.reply
            self._unreadable(actor, lambda _: reply)
            return
        except Exception:
            ids = [ticket.message.correlation_id for ticket in actor.mailbox]
            log.exception("%s %r cannot be loaded %s", actor.component, actor.entity, ids)
            self._unreadable(
                actor, lambda t: Reply(failure=failures.unexpected(t.message.correlation_id))
            )
            return
        self._goes_live(actor, found, instance, started)

    def _loaded_elsewhere(
        self,
        actor: Actor,
        found: History | None,
        loaded: Shadow | Callable[[Ticket], Reply],
        started: float,
    ) -> None:
        if not self.has(actor):
            return
        if isinstance(loaded, Shadow):
            self._goes_live(actor, found, loaded, started)
        else:
            self._unreadable(actor, loaded)

    def _goes_live(
        self, actor: Actor, found: History | None, instance: Any, started: float
    ) -> None:
        if found is not None:
            head = found.head
            lineage = self._store.identity.lineage
            actor.position = Position(lineage, head.epoch, head.offset)
            actor.incarnation = head.incarnation
        actor.speculative = actor.durable = instance
        actor.turn(Turn.LOADED)
        self._loading -= 1
        actor.newcomer = True
        self._newcomers[actor] = None
        self._observer.activated(actor.component, perf_counter() - started)
        self.on_live(actor)

    def _not_loaded(self, actor: Actor, error: Exception) -> None:
        if isinstance(error, Damaged):
            log.error("shard %d is damaged: %s", actor.shard.number, error)
            failure = failures.damaged(actor.shard.number, str(error))
            self._unreadable(actor, lambda _: Reply(failure=failure))
            self._shards.found_damaged(actor.shard, str(error))
            self.drop_shard(actor.shard, Reply(failure=failure))
            return
        log.error("%s %r cannot be loaded", actor.component, actor.entity, exc_info=error)
        if isinstance(error, StoreError):
            failure = failures.of_store(error)
            self._unreadable(actor, lambda _: Reply(failure=failure))
        else:
            self._unreadable(actor, lambda t: Reply(failure=failures.bug(t.message.correlation_id)))

    def _unreadable(self, actor: Actor, reply_to: Callable[[Ticket], Reply]) -> None:
        waiting, actor.mailbox = actor.mailbox, []
        self.drop(actor, Turn.UNREADABLE)
        for ticket in waiting:
            self._desk.answer(ticket, reply_to(ticket))

    # ---- going --------------------------------------------------------------------------------
    def drop(self, actor: Actor, turn: Turn) -> None:
        """Take an actor out of memory; messages in its mailbox bring it back at once."""
        assert not actor.flights, "whoever drops an actor has settled its flights"
        assert not actor.away, "what is elsewhere comes back first"
        if isinstance(actor.behavior, Elsewhere):
            self.away.stays_out(actor)
            if turn in _ENDS_PLACE or not actor.shard.owned:
                self.away.residences.leave((actor.component, actor.entity))
        self._loading -= actor.state is State.LOADING
        self._stays(actor)
        actor.turn(turn)
        assert actor.state is State.ABSENT, "a turn that drops ends in ABSENT"
        del self._actors[actor.component, actor.entity]
        self.counts[actor.component] -= 1
        self._observer.passivated(actor.component)
        if actor.mailbox:
            heir = Actor(actor.behavior, actor.component, actor.entity, actor.shard)
            heir.mailbox, actor.mailbox = actor.mailbox, []
            self._load(heir)

    def of_shard(self, shard: OwnedShard) -> list[Actor]:
        """All actors of a shard."""
        return [actor for actor in self._actors.values() if actor.shard is shard]

    def drop_shard(self, shard: OwnedShard, reply: Reply) -> None:
        """Drop the actors of a lost shard; those with flights go when these are settled."""
        for actor in self.of_shard(shard):
            waiting, actor.mailbox = actor.mailbox, []
            for ticket in waiting:
                self._desk.answer(ticket, reply)
            if not actor.flights and not actor.away:
                self.drop(actor, Turn.LOST)

    def clear(self) -> None:
        """The host has ended: forget all."""
        self._loads.close()
        self.lookups.close()
        self.away.clear()
        self._loading = 0
        for component, count in self.counts.items():
            for _ in range(count):
                self._observer.passivated(component)
        self.counts.clear()
        self._actors.clear()
        self._newcomers.clear()
        if self._sweep is not None:
            self._sweep.cancel()

    def make_room(self) -> None:
        """Passivate who is to go first, but none at work: there may be more for a moment."""
        passed_over, actors_max = 0, self._limits.actors_max
        newcomers_max = actors_max // NEWCOMERS_PART
        while len(self._actors) - self._loading > actors_max and passed_over < BUSY_SKIPPED_MAX:
            if len(self._newcomers) > newcomers_max:
                oldest = next(iter(self._newcomers))
            else:
                oldest = next(iter(self._actors.values()))
            if oldest.busy or isinstance(oldest.behavior, Elsewhere):
                self._actors.move_to_end((oldest.component, oldest.entity))
                if oldest.newcomer:
                    self._newcomers.move_to_end(oldest)
                passed_over += 1
            else:
                self.drop(oldest, Turn.IDLE)

    def _sweep_after(self, delay_ms: int) -> None:
        self._sweep = self._clock.call_later(delay_ms, self._passivate_idle)

    def _passivate_idle(self) -> None:
        self._sweep = None
        now_ms, after_ms = self._clock.now_ms(), self._limits.passivate_after_ms
        if now_ms < self._newest_ms:
            self._set_back(now_ms)
        for _ in range(SWEPT_MAX):
            if not self._actors:
                return
            oldest = next(iter(self._actors.values()))
            rest_ms = oldest.used_ms + after_ms - now_ms
            if rest_ms > 0:
                self._sweep_after(max(rest_ms, min(SWEEP_EVERY_MS, after_ms)))
                return
            if oldest.busy or isinstance(oldest.behavior, Elsewhere):
                self.used(oldest, now_ms)
            else:
                self.drop(oldest, Turn.IDLE)
        self._sweep_after(1)

    # ---- places elsewhere ---------------------------------------------------------------------
    def _may_leave(self, who: tuple[str, str]) -> bool:
        """Whether nobody needs a place; its actor leaves memory then."""
        actor = self._actors.get(who)
        if actor is None:
            return True
        if actor.busy:
            return False
        self.drop(actor, Turn.IDLE)
        return True

    def _lost_place(self, who: tuple[str, str]) -> None:
        """A place has ended by itself while no message was there."""
        actor = self._actors.get(who)
        if actor is None or actor.state is not State.LIVE:
            return
        if actor.flights or actor.away:  # they were good; what comes next must not rest on them
            actor.turn(Turn.BROKE)
        else:
            self.drop(actor, Turn.REFUSED)

    def _set_back(self, now_ms: int) -> None:
        """The clock was set back: who was used after this, by what it says now, rests from now."""
        for actor in self._actors.values():
            actor.used_ms = min(actor.used_ms, now_ms)
        self._newest_ms = now_ms


def _nothing(actor: Actor) -> None:
    """Before the host has said who goes on."""
