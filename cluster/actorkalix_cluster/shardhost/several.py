"""Commands of several parts, each under an idempotency key of its own, done all at once.

Theory of operation. Whoever has many commands for one actor may send them as one (`SEVERAL`): one
step, one append, one look at the keys. The behavior says which keys they are (`part_keys`), and
writes one record for each part, with the part's key and the reply to it.

    one of the keys is known, or at work     nothing is done, AK3006: send the parts one by one
    none is                                  all parts, or as the behavior refuses

So this path knows no case but the usual one, and each other case is that of a command with one key.
While the store is asked, and while the append is on its way, the keys are at work: a command under
one of them waits, and has the reply of its part when that is durable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.actor import Actor, Flight, Lookup, State
from actorkalix_cluster.shardhost.behavior import BehaviorError, part_keys
from actorkalix_cluster.shardhost.live import LiveActors
from actorkalix_cluster.shardhost.lookups import Used
from actorkalix_cluster.shardhost.messages import Reply
from actorkalix_cluster.shardhost.parts import Parts
from actorkalix_cluster.shardhost.ticket import Stage, Ticket

if TYPE_CHECKING:
    from actorkalix_cluster.shardhost.driver import Driver

KNOWN = "one of its parts is known already, or on its way"


class Several:
    """See the head of this file.

    Args:
        parts: of the host.
        live: its actors.
        driver: steps them.
    """

    def __init__(self, parts: Parts, live: LiveActors, driver: Driver) -> None:
        self._clock = parts.clock
        self._desk = parts.desk
        self._live = live
        self._driver = driver

    def command(self, actor: Actor, ticket: Ticket) -> bool:
        """A message to a live actor with room for it; False when it is none of several parts."""
        try:
            keys = part_keys(actor.behavior, ticket.message)
        except BehaviorError as error:
            self._desk.answer(ticket, error.reply)
            return True
        if not keys:
            return False
        if any(key in actor.keys for key in keys):
            self._refuse(ticket)
        elif actor.behavior.version(actor.durable) == 0:
            self._step(actor, ticket, keys)
        else:
            self._look_up(actor, ticket, keys)
        return True

    def landed(self, flight: Flight) -> None:
        """Answer who has asked for one of its parts under the same key."""
        actor = flight.actor
        for key in flight.parts:
            del actor.keys[key]
        if not flight.joined:
            return
        replies = {record.key: record.reply for record in flight.append.records}
        for ticket in flight.joined:
            stored = replies[actor.behavior.key_hash(ticket.message)]
            reply = self._driver.remembered(actor, ticket.message, stored)
            self._driver.leave(actor, ticket, reply)

    def _refuse(self, ticket: Ticket) -> None:
        self._desk.answer(ticket, Reply(failure=failures.not_committed(KNOWN)))

    def _step(self, actor: Actor, ticket: Ticket, keys: tuple[bytes, ...]) -> None:
        self._driver._step(actor, ticket, b"")
        flight = actor.flights[-1] if actor.flights else None
        if flight is not None and flight.ticket is ticket:
            flight.parts = keys
            actor.keys.update(dict.fromkeys(keys, flight))

    def _look_up(self, actor: Actor, ticket: Ticket, keys: tuple[bytes, ...]) -> None:
        lookup = Lookup(ticket)
        actor.keys.update(dict.fromkeys(keys, lookup))
        actor.resting += 1
        shard, component, entity = actor.shard.number, actor.component, actor.entity
        self._live.lookups.put(
            *(shard, component, entity, keys),
            lambda used: self._looked_up(actor, keys, lookup, used),
        )

    def _looked_up(
        self, actor: Actor, keys: tuple[bytes, ...], lookup: Lookup, found: Used
    ) -> None:
        driver, (ticket, *joined) = self._driver, lookup.joined
        for key in keys:
            del actor.keys[key]
        actor.resting -= len(lookup.joined)
        if ticket.stage is Stage.WAITING:
            if isinstance(found, Exception):
                driver._unasked(actor, [ticket], found)
            elif any(driver._counts(actor, each) for each in found):
                self._refuse(ticket)
            elif actor.state is State.LIVE and self._live.has(actor) and driver._has_room(actor):
                if not driver._may_not_start(actor, ticket, self._clock.now_ms()):
                    self._step(actor, ticket, keys)
            else:
                driver._again(actor, ticket)
        for each in joined:
            if each.stage is Stage.WAITING:
                driver._again(actor, each)
        driver.go_on(actor)
        self._live.make_room()
