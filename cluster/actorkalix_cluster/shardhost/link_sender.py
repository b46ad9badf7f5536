"""What we send to one opening of a store: frames become numbered batches.

Theory of operation. Frames (requests and answers, in one queue) leave at the end of the loop's
round as a batch of at most `batch_bytes_max`; one larger frame goes alone. At most
`batches_in_flight_max` batches are not acknowledged, counted from the oldest of them, so the
receiver never has to keep more than that; what comes meanwhile gathers for the next one. That is
what makes batches large under load and immediate without.

    a batch        the transport says             then
    in flight      None: the peer has it          done
    in flight      `PeerEnded`                    the link has ended
    in flight      another error: nobody knows    the same bytes again, after 20 ms, 40 ms, ...: the
                                                  peer drops what it has already
    in flight      the same for the tenth time    the session is given up, see `link`

A request begins (`Ticket.begin`) when its batch is made: until then its caller may take it back
without a trace.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol

import msgspec

from actorkalix_cluster.shardhost.clock import Clock
from actorkalix_cluster.shardhost.limits import LinkLimits
from actorkalix_cluster.shardhost.ticket import Stage, Ticket
from actorkalix_cluster.shardhost.wire import ENVELOPE_BYTES_MAX, Envelope, encode_batch

log = logging.getLogger("actorkalix.link")

Done = Callable[[Exception | None], object]


class PeerEnded(Exception):
    """The peer's process has ended, for certain."""


class Transport(Protocol):
    """The way to a peer."""

    def send(self, batch: bytes, done: Done, /) -> None:
        """Send a batch. Called on the loop, never blocks, raises nothing.

        Args:
            batch: opaque bytes.
            done: called on the loop: None when the peer's process has the batch in memory,
                `PeerEnded` when that process has ended, anything else when nobody knows.
        """
        ...


class Way(msgspec.Struct, frozen=True):
    """Whose batches these are, and for whom; see `wire.Envelope`."""

    store: int
    incarnation: int
    to_store: int
    to_incarnation: int


class _Flight:
    """A batch that is not acknowledged."""

    __slots__ = ("attempt", "batch", "before", "number")

    def __init__(self, number: int, batch: bytes, before: int) -> None:
        self.number = number
        self.batch = batch
        self.before = before  # id of the newest request that left before this batch
        self.attempt = 1


class Sender:
    """Sends frames to one peer.

    Args:
        way: from whom to whom.
        clock: the host's.
        limits: bounds of the link.
        on_ended: is told that the peer has ended.
        on_stuck: is told that a batch cannot be sent; has to call `restart`.

    Attributes:
        left: requests that are on their way or there, by id, not answered yet.
        session: the present one.
        batches: that were sent, each counted once.
        resent: that were sent again.
    """

    def __init__(
        self,
        way: Way,
        *,
        clock: Clock,
        limits: LinkLimits,
        on_ended: Callable[[], object],
        on_stuck: Callable[[], object],
    ) -> None:
        self._way = way
        self._clock = clock
        self._limits = limits
        self._on_ended = on_ended
        self._on_stuck = on_stuck
        self._transport: Transport | None = None
        self._queue: deque[tuple[bytes, int, Ticket | None]] = deque()
        self._flights: dict[int, _Flight] = {}  # by number, the oldest first
        self._number = 0
        self._newest = 0  # id of the newest request that has left
        self._leaving = False
        self._ended = False
        self._moved: asyncio.Event | None = None  # somebody waits for the last acknowledgement
        self.queued_bytes = 0
        self.left: dict[int, Ticket] = {}
        self.session = 1
        self.batches = 0
        self.resent = 0

    @property
    def connected(self) -> bool:
        """There is a way to the peer."""
        return self._transport is not None and not self._ended

    @property
    def waiting(self) -> int:
        """Frames that have not left."""
        return len(self._queue)

    @property
    def certain(self) -> int:
        """Id of the newest request of which it is certain that the peer takes it, and all before.

        What is behind a batch that nobody acknowledged is not: the peer waits for that one first.
        """
        oldest = next(iter(self._flights.values()), None)
        return self._newest if oldest is None else oldest.before

    @property
    def busy(self) -> bool:
        """Something has not left, or is not acknowledged."""
        return self.connected and bool(self._queue or self._flights)

    async def flushed(self, *, answered: bool = False) -> None:
        """Return when it is not busy any more; `answered`: and nothing is waited for either."""
        while self.busy or (answered and self.left):
            self._moved = self._moved or asyncio.Event()
            self._moved.clear()
            await self._moved.wait()

    def moved(self) -> None:
        """Something was answered or acknowledged, or the peer has ended."""
        if self._moved is not None:
            self._moved.set()

    def connect(self, transport: Transport) -> None:
        """Send by this way from now on."""
        self._transport = transport
        self._soon()

    def put(self, frame: bytes, number: int = 0, ticket: Ticket | None = None) -> None:
        """Send a frame; a request with its id and its ticket."""
        if self._ended:
            return
        self._queue.append((frame, number, ticket))
        self.queued_bytes += len(frame)
        self._soon()

    def queued(self) -> list[Ticket]:
        """Requests that have not left, those that were taken back left out; forgets the latter."""
        kept = [each for each in self._queue if each[2] is None or each[2].open]
        self._queue = deque(kept)
        self.queued_bytes = sum(len(frame) for frame, _, _ in kept)
        return [ticket for _, _, ticket in kept if ticket is not None]

    def restart(self, first: bytes) -> None:
        """Begin a new session with this frame; whoever calls has answered what is queued."""
        self._flights.clear()
        self._queue.clear()
        self.queued_bytes = 0
        self.session += 1
        self._number = 0
        self.put(first)

    def end(self) -> None:
        """Send nothing more."""
        self._ended = True
        self._queue.clear()
        self._flights.clear()
        self.left.clear()
        self.queued_bytes = 0
        self.moved()

    # ---- out ----------------------------------------------------------------------------------
    def _soon(self) -> None:
        if self._queue and not self._leaving and self._transport is not None:
            self._leaving = True
            asyncio.get_running_loop().call_soon(self._leave)

    def _leave(self) -> None:
        self._leaving = False
        while self._queue and self._may_leave():
            before = self._newest
            frames = self._next_frames()
            if not frames:
                return
            self._number += 1
            way = self._way
            envelope = Envelope(
                store=way.store,
                incarnation=way.incarnation,
                to_store=way.to_store,
                to_incarnation=way.to_incarnation,
                session=self.session,
                number=self._number,
                sent_ms=self._clock.now_ms(),
            )
            flight = _Flight(self._number, encode_batch(envelope, frames), before)
            self._flights[self._number] = flight
            self.batches += 1
            self._send(flight)

    def _may_leave(self) -> bool:
        if not self.connected:
            return False
        oldest = next(iter(self._flights), self._number + 1)
        return self._number + 1 - oldest < self._limits.batches_in_flight_max

    def _next_frames(self) -> list[bytes]:
        frames: list[bytes] = []
        room = self._limits.batch_bytes_max - ENVELOPE_BYTES_MAX
        while self._queue:
            frame, number, ticket = self._queue[0]
            gone = ticket is not None and ticket.stage is not Stage.WAITING
            if not gone and frames and len(frame) > room:
                break
            self._queue.popleft()
            self.queued_bytes -= len(frame)
            if gone:
                continue
            frames.append(frame)
            room -= len(frame)
            if ticket is not None:
                ticket.begin()
                self.left[number] = ticket
                self._newest = number
        return frames

    def _send(self, flight: _Flight) -> None:
        assert self._transport is not None, "without a way nothing leaves"
        attempt = flight.attempt
        self._transport.send(flight.batch, lambda error: self._back(flight, attempt, error))

    # ---- back ---------------------------------------------------------------------------------
    def _back(self, flight: _Flight, attempt: int, error: Exception | None) -> None:
        if self._ended:
            return
        if isinstance(error, PeerEnded):
            self._on_ended()
        elif self._flights.get(flight.number) is not flight:
            return  # told twice, or of a session that was given up
        elif error is None:
            del self._flights[flight.number]
            self.moved()
            self._soon()
        elif attempt == flight.attempt:
            self._failed(flight, error)

    def _failed(self, flight: _Flight, error: Exception) -> None:
        limits, store = self._limits, self._way.to_store
        if flight.attempt >= limits.attempts_max:
            log.error(
                "batch %d to store %d failed %d times, its session is given up: %s",
                *(flight.number, store, flight.attempt, error),
            )
            self._on_stuck()
            return
        doubled_ms = limits.resend_after_ms << (flight.attempt - 1)
        flight.attempt += 1
        log.warning("batch %d to store %d failed: %s", flight.number, store, error)
        self._clock.call_later(
            min(doubled_ms, limits.resend_after_ms_max), lambda: self._again(flight)
        )

    def _again(self, flight: _Flight) -> None:
        if not self._ended and self._flights.get(flight.number) is flight:
            self.resent += 1
            self._send(flight)
