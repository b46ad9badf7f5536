"""The shard host: one store's actors, in one process, on one event loop. No Ray.

Theory of operation. A host opens its store's shards (raising their epochs, so that nobody who had
them before can write any more) and takes messages for actors in them. Its parts, each with a
theory of its own at its head:

    send --> live ----> driver ----> commits ----> committer ----> landing --> answer
             loads,     steps,       group         the store's     answers leave,
             forgets    speculates   commit        thread          failures spread
             timers: what is due becomes messages · upkeep: snapshots, the store's own work

    phase      messages               goes to
    NEW        AK3004 owner away      SERVING by start
    SERVING    handled                DRAINING by drain, ENDED by stop, abandon, a fatal error
    DRAINING   AK3002 draining        ENDED
    ENDED      AK3004 owner away

Answers are never raised: whatever is wrong stands in `Reply.failure`, with what is known of the
execution. A fatal error (a sync that failed, a store that raises what it must not) ends the host:
everything under way is answered with "unknown", and `on_fatal` tells whoever runs this process,
which has to end, for only a recovery can say what is on disk.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from actorkalix_cluster.placement import shard_of
from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.actor import Actor, Flight
from actorkalix_cluster.shardhost.behavior import Behavior
from actorkalix_cluster.shardhost.clock import Clock
from actorkalix_cluster.shardhost.commits import CommitQueue
from actorkalix_cluster.shardhost.committer import Committer, Outcomes, read
from actorkalix_cluster.shardhost.consumers import Consumers
from actorkalix_cluster.shardhost.cursors import CURSORS, CursorBehavior
from actorkalix_cluster.shardhost.dead_letters import DEAD_LETTERS, DeadLetterBehavior
from actorkalix_cluster.shardhost.driver import Driver
from actorkalix_cluster.shardhost.feeding import FeedSource, FeedTarget
from actorkalix_cluster.shardhost.feeds import Feeds
from actorkalix_cluster.shardhost.firing import Reach
from actorkalix_cluster.shardhost.landing import Landing
from actorkalix_cluster.shardhost.limits import HostLimits
from actorkalix_cluster.shardhost.live import LiveActors
from actorkalix_cluster.shardhost.messages import Failure, Message, Reply
from actorkalix_cluster.shardhost.observer import HostStats, Observer, SilentObserver
from actorkalix_cluster.shardhost.parts import Parts
from actorkalix_cluster.shardhost.shards import Shards
from actorkalix_cluster.shardhost.subscriber import Subscriber
from actorkalix_cluster.shardhost.ticket import Desk, Stage, Ticket
from actorkalix_cluster.shardhost.timers import Timers
from actorkalix_cluster.shardhost.upkeep import Upkeep
from actorkalix_cluster.shardhost.watchdog import Watch
from actorkalix_storage.api import Position, Store, StoreError

T = TypeVar("T")
log = logging.getLogger("actorkalix.host")


class Phase(enum.Enum):
    """Where a host is in its life."""

    NEW = enum.auto()
    SERVING = enum.auto()
    DRAINING = enum.auto()
    ENDED = enum.auto()


_SERVING = Phase.SERVING  # bound here: to look it up takes 0.1 us


class ShardHost:
    """Runs the actors of one store.

    Args:
        store: open, and nobody else's.
        behaviors: actor kinds by component id.
        shards: whose home is the store; all of the service when not given.
        clock: real or virtual.
        limits: bounds of every queue in here.
        committer: does the store's work.
        observer: is told what happened.
        on_fatal: is told why the process has to end.
        watch: what is known of handlers that hold the loop; nobody looks when not given.
        subscribers: makes those who handle what lands, given the way out (`connect`); none read
            anything when not given.
        feeds: what goes to a target, to which `connect` gives the way.
    """

    def __init__(
        self,
        store: Store,
        behaviors: Mapping[str, Behavior[Any]],
        *,
        shards: Iterable[int] | None = None,
        clock: Clock,
        limits: HostLimits,
        committer: Committer,
        observer: Observer | None = None,
        on_fatal: Callable[[str], object] | None = None,
        watch: Watch | None = None,
        subscribers: Callable[[Reach], Sequence[Subscriber]] | None = None,
        feeds: Sequence[FeedSource] = (),
    ) -> None:
        observer = observer or SilentObserver()
        self._store = store
        self._behaviors = behaviors
        self._limits = limits
        self._clock = clock
        self._committer = committer
        self._tell_fatal = on_fatal
        self._phase = Phase.NEW
        self._number_of_shards = store.identity.shards
        self._homes = tuple(range(self._number_of_shards) if shards is None else shards)
        self._shards = Shards(clock)
        self._desk = Desk(observer)
        self._watch = watch or Watch(limits)
        parts = Parts(
            store, committer, clock, limits, observer, self._shards, self._desk, self._watch
        )
        self._live = LiveActors(parts)
        self._commits = CommitQueue(parts)
        self._driver = Driver(parts, self._commits, self._live)
        self._upkeep = Upkeep(parts, self._fatal)
        self._parts = parts
        self._subscribers = subscribers
        self._sources = feeds
        self.consumers: Consumers | None = None  # from `connect` on
        self.feeds: Feeds | None = None  # likewise
        if subscribers is not None:
            self._behaviors = {
                **behaviors,
                CURSORS: CursorBehavior(),
                DEAD_LETTERS: DeadLetterBehavior(),
            }
        self._timers = Timers(parts, self.send, behaviors, self._passed)
        self._landing = Landing(
            parts, self._driver, self._live, self._upkeep, self._timers, self._fatal
        )
        self._commits.settle = self._settle
        self._live.on_live = self._live.away.on_back = self._go_on

    # ---- life ---------------------------------------------------------------------------------
    async def start(self) -> None:
        """Own the store's shards and serve them.

        Durability: the raised epochs are on disk when it returns.

        Raises:
            StoreError: the shards could not be opened.
        """
        assert self._phase is Phase.NEW, "a host starts once"
        now_ms = self._clock.now_ms()
        epochs = await self._committer.run(
            lambda: self._store.open_shards(self._homes, now_ms, sealed=True)
        )
        self._shards.opened(epochs, self._store)
        self._phase = Phase.SERVING
        self._timers.start()

    def connect(self, reach: Reach, target: FeedTarget | None = None) -> None:
        """Say that messages can leave the host: named timers fire, consumers and feeds begin.

        Args:
            reach: sends messages to whomever they are for, here or elsewhere.
            target: of the feeds; they do not begin without one, and nothing is cleaned meanwhile.
        """
        assert self._phase is Phase.SERVING, "a host is connected when it has started"
        assert self.consumers is None, "a host is connected once"
        self._timers.connect(reach)
        if target is not None and self._sources:
            feeds = Feeds(self._parts, self._sources, target)
            self.feeds = self._landing.feeds = feeds
            feeds.start(self._shards.numbers())
        if self._subscribers is None:
            return
        consumers = Consumers(self._parts, self.send, self._subscribers(reach))
        self.consumers = self._landing.consumers = consumers
        consumers.start(self._shards.numbers())

    def _passed(self, shard: int) -> Mapping[str, Position]:
        """Up to where each consumer and each feed needs nothing of a shard any more."""
        nothing = Position(self._store.identity.lineage, 0, 0)
        passed: dict[str, Position] = {}
        if self.consumers is not None:
            passed.update(self.consumers.passed(shard))
        elif self._subscribers is not None:
            passed["of the service"] = nothing
        if self.feeds is not None:
            passed.update(self.feeds.passed(shard))
        elif self._sources:
            passed["of the views"] = nothing
        return passed

    async def drain(self, timeout_s: float) -> bool:
        """Take no more messages and wait until all that were taken are answered.

        Consumers end first, each with what it has begun, and write how far they have come.

        Returns:
            False when `timeout_s` passed before that.
        """
        if self.consumers is not None and self._phase is Phase.SERVING:
            await self.consumers.drain(timeout_s)
        if self.feeds is not None and self._phase is Phase.SERVING:
            await self.feeds.drain(timeout_s)
        if self._phase is Phase.SERVING:
            self._phase = Phase.DRAINING
            self._timers.stop()
        empty = self._desk.when_empty()
        timer = self._clock.call_later(int(timeout_s * 1000), empty.cancel)
        await asyncio.wait([empty])  # its cancel is the timeout, not ours
        timer.cancel()
        return not self._desk.pending

    async def stop(self) -> None:
        """Answer what is left, close the store, end its threads; after a fatal error only these.

        Durability: what was handed to the store is on disk or refused.
        """
        if self._phase is Phase.ENDED:
            self._committer.close()
            return
        self._phase = Phase.DRAINING
        self._stop_working()
        self._desk.drop_waiting(Reply(failure=failures.draining(self._limits.retry_after_ms)))
        await self._desk.when_empty()
        if self._phase is Phase.ENDED:  # fatally, while we waited
            self._committer.close()
            return
        self._end(failures.outcome_unknown("the host stopped"))
        await read(self._committer, bool)  # a store is not closed under a reader
        await self._committer.run(self._store.close)
        self._committer.close()

    def abandon(self) -> None:
        """End at once, as a kill would: nothing more is written, answered or closed."""
        self._end(failures.outcome_unknown("the host ended"))

    def _stop_working(self) -> None:
        """Begin nothing of our own any more."""
        self._timers.stop()
        self._upkeep.stop()
        if self.consumers is not None:
            self.consumers.stop()
        if self.feeds is not None:
            self.feeds.stop()

    def _settle(self, batch: list[Flight], outcome: Outcomes | Exception) -> None:
        try:
            self._landing.settle(batch, outcome)
        except Exception as error:
            log.exception("a bug of actorkalix")
            self._fatal(error)

    def _go_on(self, actor: Actor) -> None:
        try:
            self._driver.go_on(actor)
        except Exception as error:
            log.exception("a bug of actorkalix")
            self._fatal(error)

    def _fatal(self, error: Exception) -> None:
        if self._phase is Phase.ENDED:
            return
        reason = f"{type(error).__name__}: {error}"
        log.critical("the store failed, this host ends: %s", reason, exc_info=error)
        number = error.number if isinstance(error, StoreError) else "AK3102"
        self._end(failures.durability_lost(f"the store failed ({number}), its host has ended"))
        if self._tell_fatal is not None:
            self._tell_fatal(reason)

    def _end(self, started: Failure) -> None:
        if self._phase is Phase.ENDED:
            return
        self._phase = Phase.ENDED
        self._stop_working()
        self._commits.close()
        self._live.clear()
        for ticket in list(self._desk.pending):
            waiting = ticket.stage is Stage.WAITING
            self._desk.answer(ticket, self._away() if waiting else Reply(failure=started))

    # ---- messages -----------------------------------------------------------------------------
    async def ask(self, message: Message, /) -> Reply:
        """Send a message and wait for its answer.

        Cancellation: a message that was not started is dropped; any other runs to its end.
        Durability: all that the answer rests on is on disk.
        """
        return await self.send(message).wait()

    def send(self, message: Message, /) -> Ticket:
        """Send a message; the ticket gets its answer."""
        is_full = len(self._desk.pending) >= self._limits.messages_max
        ticket = self._desk.open(message)
        if self._phase is not _SERVING:
            self._desk.answer(ticket, self._not_serving())
            return ticket
        if is_full:
            failure = failures.overloaded(
                "too many messages are under way", self._limits.retry_after_ms
            )
            self._desk.answer(ticket, Reply(failure=failure))
            return ticket
        actor = self._live.get(message.component, message.entity)
        if actor is not None and actor.shard.owned:
            self._driver.take(actor, ticket)
        else:
            self._activate(ticket)
        return ticket

    def _activate(self, ticket: Ticket) -> None:
        component, entity = ticket.message.component, ticket.message.entity
        behavior = self._behaviors.get(component)
        if behavior is None:
            failure = failures.unknown_component(component)
            self._desk.answer(ticket, Reply(failure=failure))
            return
        if component in self._watch.off:  # before its entity is loaded, which is its code as well
            failure = failures.component_blocked(component)
            self._desk.answer(ticket, Reply(failure=failure))
            return
        number = shard_of(component, entity, self._number_of_shards)
        shard = self._shards.get(number)
        if shard is not None:
            self._live.load(behavior, ticket, shard)
        elif number in self._shards.damaged:
            failure = failures.damaged(number, self._shards.damaged[number])
            self._desk.answer(ticket, Reply(failure=failure))
        else:
            failure = failures.owner_away(number, self._limits.retry_after_ms)
            self._desk.answer(ticket, Reply(failure=failure))

    def _not_serving(self) -> Reply:
        if self._phase is Phase.DRAINING:
            return Reply(failure=failures.draining(self._limits.retry_after_ms))
        return self._away()

    def _away(self) -> Reply:
        return Reply(failure=failures.host_away(self._limits.retry_after_ms))

    async def write(self, job: Callable[[], T]) -> T:
        """Do a job where the store is written to, in the place of a commit; commits wait for it.

        Cancellation: the job is done all the same.
        """
        return await self._committer.run(job)

    # ---- looks --------------------------------------------------------------------------------
    @property
    def serving(self) -> bool:
        """It takes messages."""
        return self._phase is Phase.SERVING

    @property
    def idle(self) -> bool:
        """Nothing is under way that does not wait for a time to come."""
        consuming = self.consumers is not None and self.consumers.busy
        feeding = self.feeds is not None and self.feeds.busy
        return not (self._desk.pending or self._timers.busy or consuming or feeding)

    @property
    def caught_up(self) -> bool:
        """It is idle, and consumers have handled all that has landed: none of it waits either."""
        consumed = self.consumers is None or self.consumers.caught_up
        return self.idle and consumed and (self.feeds is None or self.feeds.caught_up)

    def owns(self, shard: int) -> bool:
        """The host owns this shard and serves it."""
        return self._shards.get(shard) is not None

    def stats(self) -> HostStats:
        """What there is now."""
        return HostStats(
            live={component: count for component, count in self._live.counts.items() if count},
            mailbox=self._live.waiting(),
            commit_queue=len(self._commits),
            shards=len(self._shards),
            damaged=dict(self._shards.damaged),
            consumers=tuple(each.stats() for each in self.consumers.consumers)
            if self.consumers is not None
            else (),
            feeds=tuple(each.stats() for each in self.feeds.feeds.values())
            if self.feeds is not None
            else (),
        )
