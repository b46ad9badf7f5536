"""Links: how a host's messages reach the hosts of other stores, and theirs this one. No Ray.

Theory of operation. A `Link` leads to one opening of a store (store, incarnation), and has two
halves: a `Sender` and a `Receiver` of numbered batches. A request goes out in one batch, its answer
comes back in a batch of the other half whenever it is there. Nobody waits for a call: batches are
one way, and a few in flight carry thousands of messages.

An opening with a higher incarnation means that all before have ended: one process has a store, and
it is opened again only when the last one's lock is free. What an ended one still says is refused.
Bytes that are no batch are logged and refused, too; the batch is missing then, see `Receiver`.

A batch may come from an opening of which nobody has told us yet: it is taken, and the answers wait
until there is a way. Messages for a store without a way are answered "not here"; the router waits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.clock import Clock
from actorkalix_cluster.shardhost.limits import LinkLimits
from actorkalix_cluster.shardhost.link import Link, LinkStats
from actorkalix_cluster.shardhost.link_sender import PeerEnded as PeerEnded
from actorkalix_cluster.shardhost.link_sender import Transport as Transport
from actorkalix_cluster.shardhost.link_sender import Way
from actorkalix_cluster.shardhost.messages import Message, Reply
from actorkalix_cluster.shardhost.observer import SilentObserver
from actorkalix_cluster.shardhost.router import Target
from actorkalix_cluster.shardhost.ticket import Desk, Ticket
from actorkalix_cluster.shardhost.wire import WireError, decode_batch

log = logging.getLogger("actorkalix.link")


class Links:
    """All links of a host. Every method is called on the loop.

    Args:
        store: number of the host's store.
        incarnation: of its opening.
        local: the host, which runs what comes in.
        clock: the host's.
        limits: bounds of each link.

    Attributes:
        on_connected: is told the number of a store that has a way from now on, or a new session;
            the router's `changed`.
        refused: batches that could not be read, or were for somebody else.
        held: stores to which nothing is sent now.
    """

    def __init__(
        self,
        store: int,
        incarnation: int,
        local: Target,
        *,
        clock: Clock,
        limits: LinkLimits | None = None,
    ) -> None:
        self.on_connected: Callable[[int], object] = _nobody
        self.refused = 0
        self._store = store
        self._incarnation = incarnation
        self._local = local
        self._clock = clock
        self._limits = limits or LinkLimits()
        self._desk = Desk(SilentObserver())  # the host at the other end counts what it handles
        self._links: dict[int, Link] = {}
        self.held: frozenset[int] = frozenset()

    def connect(self, store: int, incarnation: int, transport: Transport) -> None:
        """This opening of the store is reached by this way; one that has ended is not."""
        assert store != self._store, "a host has no link to itself"
        link = self._link(store, incarnation)
        if link is not None:
            link.sender.connect(transport)
            self.on_connected(store)

    def disconnect(self, store: int, incarnation: int) -> None:
        """This opening of the store has ended, for certain."""
        link = self._link(store, incarnation)
        if link is not None:
            link.end()

    def close(self) -> None:
        """The host ends: nothing is sent or taken any more."""
        for link in self._links.values():
            link.end()

    def hold(self, stores: Collection[int]) -> None:
        """Send nothing more to these stores; to those that were held before, go on."""
        released = self.held - set(stores)
        self.held = frozenset(stores)
        for store in released:
            self.on_connected(store)

    async def settled(self, store: int) -> None:
        """Return when everything asked of a store is answered, or its opening has ended."""
        link = self._links.get(store)
        if link is not None:
            await link.sender.flushed(answered=True)

    async def flushed(self) -> None:
        """Return when all that was put in is with its peer: answers, before a host ends."""
        for link in list(self._links.values()):
            await link.sender.flushed()

    def target(self, store: int) -> Target:
        """Where messages for a store go, whoever has it open."""
        return _Target(self, store)

    def send(self, store: int, message: Message) -> Ticket:
        """Send a message to whoever has the store open."""
        ticket = self._desk.open(message)
        link = self._links.get(store)
        if link is None or not link.sender.connected or store in self.held:
            self._desk.answer(ticket, Reply(failure=failures.host_away()))
        else:
            link.ask(ticket)
        return ticket

    def receive(self, batch: bytes) -> None:
        """A batch of any peer, as it arrived."""
        try:
            read = decode_batch(batch, self._clock.now_ms())
        except WireError as error:
            log.error("a batch of %d bytes was refused: %s", len(batch), error)
            self.refused += 1
            return
        envelope = read.envelope
        whom = (envelope.to_store, envelope.to_incarnation)
        link = None
        if whom == (self._store, self._incarnation) and envelope.store != self._store:
            link = self._link(envelope.store, envelope.incarnation)
        if link is None:
            log.warning("a batch was refused, its sender has ended or means another: %s", envelope)
            self.refused += 1
        else:
            link.receive(read)

    def stats(self) -> dict[int, LinkStats]:
        """A look at each link, by store."""
        return {store: link.stats() for store, link in self._links.items() if not link.ended}

    def _link(self, store: int, incarnation: int) -> Link | None:
        """The link to an opening; None when that has ended. A newer one ends the one before."""
        link = self._links.get(store)
        if link is not None and link.incarnation < incarnation:
            link.end()
            link = None
        if link is None:
            way = Way(self._store, self._incarnation, store, incarnation)
            link = Link(
                way,
                self._local,
                self._desk,
                clock=self._clock,
                limits=self._limits,
                on_open=self._opened,
            )
            self._links[store] = link
        return None if link.ended or link.incarnation > incarnation else link

    def _opened(self, store: int) -> None:
        self.on_connected(store)


class _Target:
    """A store elsewhere, as the router sees it."""

    def __init__(self, links: Links, store: int) -> None:
        self._links = links
        self._store = store

    def send(self, message: Message, /) -> Ticket:
        return self._links.send(self._store, message)


def _nobody(store: int) -> None:
    """Before somebody wants to know."""
