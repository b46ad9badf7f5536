"""The simulated network between hosts: batches arrive late, twice, in another order, or never.

Theory of operation. A way is asked to bring a batch and to say what became of it (see
`link_sender.Transport`): that it has arrived or that the peer has ended must be true, anything else
is "nobody knows". A dropped batch is told as that some time later, and whether the batch or its
receipt was lost is a coin. While two hosts are parted nothing passes between them, receipts
neither; what was sent is told as unknown after a while. A stopped process takes what came when it
goes on, and only then is that told; if it is killed instead, its end is.

Everything between sending and arriving belongs to the network, so a sender that is killed does not
take its batches along.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from actorkalix_cluster.rayhost.contract import Transport
from actorkalix_cluster.shardhost.link_sender import Done, PeerEnded

from .chance import Chance
from .faults import Conditions
from .loop import SimulationLoop
from .processes import Process

LOST_US = 200_000
"""After a loss, until the sender is told that nobody knows."""
REORDERED_TIMES = 20
SWALLOWED_US_MAX = 8_000_000
"""Beyond what a session waits for a missing batch, and what a sender tries it."""


class Peer(Protocol):
    """A host, as the network sees it."""

    process: Process
    number: int

    def receive(self, batch: bytes, /) -> object: ...


class Network:
    """What lies between hosts.

    Args:
        loop: all of it happens there.
        chance: for what happens by itself.
        conditions: how often it does.
    """

    def __init__(self, loop: SimulationLoop, chance: Chance, conditions: Conditions) -> None:
        self._loop = loop
        self._chance = chance
        self._conditions = conditions
        self._parted: dict[tuple[int, int], int] = {}  # (from, to) -> until, in microseconds
        self._swallowed: dict[tuple[int, int, bytes], int] = {}  # (from, to, batch) -> until

    def part(self, sender: int, receiver: int, length_us: int) -> None:
        """Let nothing pass from one store's host to another's for a while."""
        until_us = self._loop.now_us + length_us
        pair = (sender, receiver)
        self._parted[pair] = max(until_us, self._parted.get(pair, 0))

    def heal(self) -> None:
        """Let everything pass from now on."""
        self._parted.clear()
        self._swallowed.clear()

    def way(self, sender: Peer, receiver: Peer) -> Transport:
        """A way from one opening of a store to another."""
        return Way(self, sender, receiver)

    def carry(self, sender: Peer, receiver: Peer, batch: bytes, done: Done) -> None:
        """Bring a batch, and tell its sender what became of it."""
        chance, rates, later_in = self._chance, self._conditions.rates, self._loop.later_in

        def is_lost() -> None:
            error = OSError("nobody knows what became of a batch")
            later_in(sender.process, LOST_US, done, error)

        def arrives() -> None:
            later_in(receiver.process, self._delay_us(), receiver.receive, batch)

        def comes_through() -> None:
            if receiver.process.runs:
                receiver.process.run(is_taken)
            elif receiver.process.alive:
                self._loop.call_in(receiver.process, is_taken)
            else:
                self._loop.call_in(sender.process, done, PeerEnded())

        def is_taken() -> None:
            receiver.receive(batch)
            if self._is_parted(receiver, sender):
                is_lost()
            else:
                later_in(sender.process, self._delay_us(), done, None)

        if chance.happens(rates.swallow):
            until_us = self._loop.now_us + chance.integer(1, SWALLOWED_US_MAX)
            self._swallowed[sender.number, receiver.number, batch] = until_us
        if self._is_swallowed(sender, receiver, batch) or self._is_parted(sender, receiver):
            is_lost()
            return
        if chance.happens(rates.duplicate):
            arrives()
        if chance.happens(rates.drop):
            if chance.happens(0.5):  # the receipt is lost, not the batch
                arrives()
            is_lost()
        else:
            self.later(self._delay_us(), comes_through)

    def later(self, delay_us: int, call: Callable[..., object], *args: object) -> None:
        """Call later, on behalf of nobody who may be killed or stopped."""
        self._loop.world_later(delay_us, call, *args)

    def _is_parted(self, sender: Peer, receiver: Peer) -> bool:
        this = (sender.number, receiver.number)
        return bool(self._parted) and self._parted.get(this, 0) > self._loop.now_us

    def _is_swallowed(self, sender: Peer, receiver: Peer, batch: bytes) -> bool:
        this = (sender.number, receiver.number, batch)
        return bool(self._swallowed) and self._swallowed.get(this, 0) > self._loop.now_us

    def _delay_us(self) -> int:
        chance, rates = self._chance, self._conditions.rates
        us = rates.network_min_us + chance.exponential_us(rates.network_mean_us)
        return us * REORDERED_TIMES if chance.happens(rates.reorder) else us


class Way:
    """A `Transport` over the network."""

    def __init__(self, network: Network, sender: Peer, receiver: Peer) -> None:
        self._network = network
        self._sender = sender
        self._receiver = receiver

    def send(self, batch: bytes, done: Done, /) -> None:
        self._network.carry(self._sender, self._receiver, batch, done)
