"""What one opening of a store sends to us: its batches in order, each once. Pure.

    a batch of the session              is
    the next one                        taken, with all that follow it and are here
    lower, or here already              dropped: it was sent again
    ahead, within `reorder_max`         kept until the ones before it are here
    ahead of that                       refused; it will be missing
    of a later session                  the first of that one; what was kept of the former goes
    of a former session, or a broken    refused

A session is broken when what is missing has not come for `gap_wait_ms`, whatever the reason: then
nothing more of it is ever taken, and the sender is told so (`links`).

A round (`links`, "order") is the sender's count of "not here" answers. When a request was answered
so, later ones of the same round for the same entity are answered so without being looked at; those
of a later round were sent when the answer was known.
"""

from __future__ import annotations

from actorkalix_cluster.shardhost.wire import Batch, Request


class Receiver:
    """Puts batches in order.

    Args:
        reorder_max: batches that are kept while one before them is missing.

    Attributes:
        session: the newest one.
        next: number of the batch that is to come.
        taken: id of the newest request that was taken.
        refused: batches of which nothing was taken, those that were sent again left out.
    """

    def __init__(self, reorder_max: int) -> None:
        self.session = 1
        self.next = 1
        self.taken = 0
        self.refused = 0
        self._reorder_max = reorder_max
        self._early: dict[int, Batch] = {}
        self._broken = False
        self._round = 0
        self._turned_away: set[tuple[str, str]] = set()

    @property
    def gap(self) -> bool:
        """Something is here whose turn has not come."""
        return bool(self._early)

    def take(self, batch: Batch) -> list[Batch]:
        """Take note of a batch.

        Returns:
            The batches whose turn has come, in order.
        """
        session, number = batch.envelope.session, batch.envelope.number
        if session > self.session:
            self._begin(session)
        elif session < self.session or self._broken:
            self.refused += 1
            return []
        if number < self.next or number in self._early:
            return []
        if number - self.next > self._reorder_max:
            self.refused += 1
            return []
        self._early[number] = batch
        ready: list[Batch] = []
        while self.next in self._early:
            ready.append(self._early.pop(self.next))
            self.next += 1
        return ready

    def _begin(self, session: int) -> None:
        self.refused += len(self._early)
        self._early.clear()
        self._broken = False
        self.session = session
        self.next = 1

    def give_up(self) -> int:
        """Take nothing more of this session; returns its number."""
        self.refused += len(self._early)
        self._early.clear()
        self._broken = True
        return self.session

    # ---- rounds -------------------------------------------------------------------------------
    def refuses(self, request: Request) -> bool:
        """Whether an earlier request of its round and entity was turned away; notes the request."""
        self.taken = max(self.taken, request.id)
        if request.round > self._round:
            self._round = request.round
            self._turned_away.clear()
        message = request.message
        return bool(self._turned_away) and (message.component, message.entity) in self._turned_away

    def turned_away(self, round_: int, component: str, entity: str) -> None:
        """A request of this round was answered with "not here"."""
        if round_ == self._round:
            self._turned_away.add((component, entity))
