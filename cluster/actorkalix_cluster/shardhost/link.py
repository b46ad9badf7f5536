"""A link: both halves of the way to one opening of a store, and what becomes of requests.

    a request        what happens                                   it is told
    queued           the link ends, or a session of either half     not here (AK3004)
    left, a query    the same                                       not here: it may be sent again
    left, a command  the peer ended                                 unknown (AK3101), at once
                     a batch of ours stuck, it was behind that      unknown
                     a batch of ours stuck, it was before that      its answer still comes
                     a batch of ours is missing at the peer, it     not here: the peer takes nothing
                     was behind that                                more of that session
                     any other end of a session of the peer's       unknown: its answer may be lost

"Not here" sends the router back to the home table; it sends the message again by itself, in order.
So nothing that was provably not executed is lost, and nothing that may have been is done twice.

Order. A request for an entity may be turned away ("not here") while a later one for the same entity
is on its way; were that one taken, the two would change places. So each request carries the round
in which it was sent, which rises with every "not here" of the peer; and the receiver turns away
whatever follows in that round for that entity.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.clock import Clock, Handle
from actorkalix_cluster.shardhost.limits import LinkLimits
from actorkalix_cluster.shardhost.link_receiver import Receiver
from actorkalix_cluster.shardhost.link_sender import Sender, Way
from actorkalix_cluster.shardhost.messages import MessageKind, Reply
from actorkalix_cluster.shardhost.router import Target
from actorkalix_cluster.shardhost.ticket import Desk, Ticket
from actorkalix_cluster.shardhost.wire import (
    Anew,
    Answer,
    Batch,
    Frame,
    Request,
    encode_anew,
    encode_answer,
    encode_request,
)

log = logging.getLogger("actorkalix.link")

_LOST = "its answer was lost on the way"


class LinkStats(msgspec.Struct, frozen=True):
    """A look at a link.

    Attributes:
        incarnation: of the opening at its other end.
        connected: there is a way to it.
        left: requests that are there or on their way.
        queued_bytes: what waits to leave.
        batches: that were sent.
        resent: that were sent again, for nobody knew whether they had arrived.
        refused: of the peer's, of which nothing was taken.
        sessions: that were given up by one of the two.
    """

    incarnation: int
    connected: bool
    left: int
    queued_bytes: int
    batches: int
    resent: int
    refused: int
    sessions: int


class Link:
    """The way to one opening of a store.

    Args:
        way: from this host to that opening.
        local: this host, which runs what comes in.
        desk: hands out the tickets of what is sent.
        clock: the host's.
        limits: bounds of the link.
        on_open: is told the store when what was given back may be sent again.

    Attributes:
        incarnation: of the opening.
        ended: it has ended.
        sender: our half.
    """

    def __init__(
        self,
        way: Way,
        local: Target,
        desk: Desk,
        *,
        clock: Clock,
        limits: LinkLimits,
        on_open: Callable[[int], object],
    ) -> None:
        self.incarnation = way.to_incarnation
        self.ended = False
        self.sender = Sender(
            way, clock=clock, limits=limits, on_ended=self.end, on_stuck=self._stuck
        )
        self._store = way.to_store
        self._local = local
        self._desk = desk
        self._clock = clock
        self._limits = limits
        self._on_open = on_open
        self._receiver = Receiver(limits.reorder_max)
        self._running: dict[Ticket, Request] = {}  # the peer's, at our host
        self._gap_timer: Handle | None = None
        self._next_id = 1
        self._round = 0
        self._sessions = 0

    # ---- requests of ours ---------------------------------------------------------------------
    def ask(self, ticket: Ticket) -> None:
        """Send a message to the peer's host."""
        if self._full() and not self._made_room():
            failure = failures.overloaded(f"too many messages are on their way to {self._store}")
            self._desk.answer(ticket, Reply(failure=failure))
            return
        message = ticket.message
        try:
            frame = encode_request(self._next_id, self._round, message)
        except (UnicodeEncodeError, OverflowError):
            log.exception("a message cannot be sent, correlation id %s", message.correlation_id)
            self._desk.answer(ticket, Reply(failure=failures.bug(message.correlation_id)))
            return
        self.sender.put(frame, self._next_id, ticket)
        self._next_id += 1

    def _full(self) -> bool:
        sender, limits = self.sender, self._limits
        return (
            sender.queued_bytes > limits.queued_bytes_max
            or len(sender.left) + sender.waiting >= limits.pending_max
        )

    def _made_room(self) -> bool:
        """Forget what was taken back meanwhile."""
        self.sender.queued()
        return not self._full()

    def _answered(self, answer: Answer) -> None:
        ticket = self.sender.left.pop(answer.id, None)
        if ticket is None:
            return  # it was given back; this is too late
        failure = answer.reply.failure
        if failure is not None and failures.not_here(failure):
            self._round += 1
        self._desk.answer(ticket, answer.reply)
        self.sender.moved()

    def _give_back(self, reason: str, *, kept: int = 0, taken: int | None = None) -> None:
        """Answer what was asked of this peer, in order.

        Args:
            reason: why an answer may not come.
            kept: answers to requests up to this id still come.
            taken: no request behind this id was or will be executed; None when it is not known.
        """
        left = self.sender.left
        for number in [number for number in left if number > kept]:
            ticket = left.pop(number)
            never = taken is not None and number > taken
            if never or ticket.message.kind is MessageKind.QUERY:
                failure = failures.host_away()
            else:
                failure = failures.outcome_unknown(reason)
            self._desk.answer(ticket, Reply(failure=failure))
        for ticket in self.sender.queued():
            self._desk.answer(ticket, Reply(failure=failures.host_away()))
        self.sender.moved()

    # ---- requests of the peer's ---------------------------------------------------------------
    def receive(self, batch: Batch) -> None:
        """A batch of the peer's."""
        for ready in self._receiver.take(batch):
            for frame in ready.frames:
                self._take(frame)
        if self._receiver.gap and self._gap_timer is None:
            self._watch_gap()

    def _take(self, frame: Frame) -> None:
        if isinstance(frame, Request):
            self._serve(frame)
        elif isinstance(frame, Answer):
            self._answered(frame)
        else:
            self._anew(frame)

    def _serve(self, request: Request) -> None:
        if self._receiver.refuses(request):
            self._tell(request, Reply(failure=failures.host_away()))
            return
        try:
            ticket = self._local.send(request.message)
        except Exception:
            correlation_id = request.message.correlation_id
            log.exception("a bug of actorkalix, correlation id %s", correlation_id)
            self._tell(request, Reply(failure=failures.bug(correlation_id)))
            return
        if ticket.reply is not None:
            self._tell(request, ticket.reply)
        else:
            self._running[ticket] = request
            ticket.on_answer = self._ran

    def _ran(self, ticket: Ticket) -> None:
        assert ticket.reply is not None, "it is called with the answer"
        self._tell(self._running.pop(ticket), ticket.reply)

    def _tell(self, request: Request, reply: Reply) -> None:
        if reply.failure is not None and failures.not_here(reply.failure):
            message = request.message
            self._receiver.turned_away(request.round, message.component, message.entity)
        self.sender.put(encode_answer(request.id, reply))

    # ---- sessions -----------------------------------------------------------------------------
    def _watch_gap(self) -> None:
        session, number = self._receiver.session, self._receiver.next
        self._gap_timer = self._clock.call_later(
            self._limits.gap_wait_ms, lambda: self._look_at_gap(session, number)
        )

    def _look_at_gap(self, session: int, number: int) -> None:
        self._gap_timer = None
        receiver = self._receiver
        if self.ended or not receiver.gap:
            return
        if (receiver.session, receiver.next) != (session, number):
            self._watch_gap()
            return
        log.error(
            "batch %d of store %d is missing, its session %d is broken",
            number,
            self._store,
            session,
        )
        broken = receiver.give_up()
        self._give_back(_LOST)
        self._restart(broken)

    def _stuck(self) -> None:
        """A batch cannot be sent; what was acknowledged before it is at the peer."""
        self._give_back("its host could not be reached", kept=self.sender.certain)
        self._restart()

    def _anew(self, frame: Anew) -> None:
        """The peer has begun a new session, perhaps because it has broken ours."""
        if frame.broken == self.sender.session:
            self._give_back(_LOST, taken=frame.taken)
            self._restart()
        else:
            self._give_back(_LOST)
            self._on_open(self._store)

    def _restart(self, broken: int = 0) -> None:
        self._sessions += 1
        self.sender.restart(encode_anew(broken, self._receiver.taken))
        self._on_open(self._store)

    def end(self) -> None:
        """The peer has ended."""
        if self.ended:
            return
        self.ended = True
        if self._gap_timer is not None:
            self._gap_timer.cancel()
        self._give_back("its host ended before it had answered")
        self.sender.end()

    def stats(self) -> LinkStats:
        """A look at it."""
        sender = self.sender
        return LinkStats(
            self.incarnation,
            sender.connected,
            len(sender.left),
            sender.queued_bytes,
            sender.batches,
            sender.resent,
            self._receiver.refused,
            self._sessions,
        )
