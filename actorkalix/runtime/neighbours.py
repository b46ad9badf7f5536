"""A host's view of the others: the roll that the controller calls becomes links and routes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import timedelta

import msgspec

from actorkalix.errors import InternalError, OwnerAway, catalog
from actorkalix.limits import Limits
from actorkalix_cluster.rayhost.contract import (
    Assignment,
    CallRefused,
    CallTransport,
    Roll,
    Transport,
)
from actorkalix_cluster.shardhost.clock import Clock
from actorkalix_cluster.shardhost.host import ShardHost
from actorkalix_cluster.shardhost.links import Links
from actorkalix_cluster.shardhost.router import Router
from actorkalix_storage.api import HomeTable

_MS = timedelta(milliseconds=1)


class Neighbours:
    """Links to the other hosts, and the router over them and this one. On the host's loop.

    Args:
        assignment: which store this host has.
        host: that has it.
        homes: home table at the start.
        clock: the host's.
        limits: of the service.

    Attributes:
        router: sends messages to whoever owns their shards.
    """

    def __init__(
        self,
        assignment: Assignment,
        host: ShardHost,
        homes: HomeTable,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._own = assignment.store
        self._open: dict[int, int] = {}
        self._roll = 0
        self._ways: Mapping[int, Transport] = {}
        self._links = Links(assignment.store, assignment.incarnation, host, clock=clock)
        others = [number for number in homes.stores() if number != self._own]
        self.router = Router(
            homes,
            {self._own: host, **{number: self._links.target(number) for number in others}},
            clock=clock,
            ask_timeout_ms=limits.ask_timeout // _MS,
            owner_wait_ms=limits.owner_wait // _MS,
        )
        self._links.on_connected = self.router.changed

    def enroll(self, roll: Roll, ways: Mapping[int, Transport]) -> None:
        """Take note of who is there; an older roll than the last one says nothing."""
        if roll.number <= self._roll:
            return
        self._roll = roll.number
        self._ways = dict(ways)
        for store, incarnation in list(self._open.items()):
            if roll.open.get(store) != incarnation:
                del self._open[store]
                self._links.disconnect(store, incarnation)
        self.router.update(msgspec.msgpack.decode(roll.homes, type=HomeTable))
        for store, incarnation in roll.open.items():
            if store != self._own and store not in self._open and store in ways:
                self._open[store] = incarnation
                self._links.connect(store, incarnation, ways[store])
        for store, reason in roll.fenced.items():
            self.router.fence(store, reason)
        self._links.hold(roll.leaving)

    @property
    def present(self) -> set[int]:
        """Stores whose hosts are there, this one's too."""
        return {self._own, *self._open}

    async def call(self, store: int, method: str, arguments: bytes) -> bytes:
        """Ask the host of another store; see `ports.HostCalls`.

        Raises:
            OwnerAway: no host has it open now.
            ActorkalixError: what the host answered instead, by its number.
        """
        way = self._ways.get(store)
        if not isinstance(way, CallTransport):
            raise OwnerAway(f"no host has store {store} open")
        try:
            return await way.call(method, arguments)
        except CallRefused as refused:
            raise catalog().get(refused.number, InternalError)(str(refused)) from refused
        except ConnectionError as error:
            raise OwnerAway(f"the host of store {store} ended: {error}") from error

    async def settled(self, store: int) -> None:
        """Ask nothing more of a store's host; return when it has answered everything."""
        self._links.hold({store, *self._links.held})
        await self._links.settled(store)

    async def flushed(self, timeout_s: float) -> None:
        """Return when all answers are with those who asked, or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._links.flushed()

    def receive(self, batch: bytes) -> None:
        """A batch of another host."""
        self._links.receive(batch)
