"""The places that a host has for actors that run elsewhere: made, asked, watched, ended.

Theory of operation. A place belongs to an actor's id, not to one stay of it in the host's memory:
an actor that is rebuilt finds its place again, and only the load is made anew. States of a place:

    ABSENT --enter--> STARTING --ready--> READY --call--> BUSY --answer--> READY
                         |                  |               |
                         '----- ended ------+---------------+----> ABSENT
                         '- nobody waits, - '- idle for idle_stop_ms
                            idle_stop_ms

Who enters a place that starts may give up; the start goes on, and may be over when the next one
comes. While one starts that takes longer than a process takes, others of this host hold the
room that it needs: each `residence_room_ms` the one that was idle for longest is ended.

Requests of a place wait in its queue, and one is under way. One that takes `handler_hang_ms` ends
the place: a handler that never returns costs its command and nothing else.

Nothing here knows what is asked; `away` does.
"""

from __future__ import annotations

import enum
import logging
from collections import OrderedDict, deque
from collections.abc import Callable

from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.clock import Handle
from actorkalix_cluster.shardhost.elsewhere import Elsewhere, Place
from actorkalix_cluster.shardhost.messages import Failure
from actorkalix_cluster.shardhost.parts import Parts

log = logging.getLogger("actorkalix.entity")

Who = tuple[str, str]
Entered = Callable[[Failure | None], object]
Answered = Callable[[bytes | Failure], object]


class State(enum.Enum):
    """Where a place is in its life."""

    STARTING = enum.auto()
    READY = enum.auto()
    BUSY = enum.auto()


class Residence:
    """A place and what is known of it."""

    __slots__ = (
        *("closed", "entered", "hang", "idle", "idle_stop_ms", "place", "queue", "state"),
        *("used_ms", "who"),
    )

    def __init__(self, who: Who, idle_stop_ms: int) -> None:
        self.who = who
        self.idle_stop_ms = idle_stop_ms
        self.state = State.STARTING
        self.place: Place | None = None
        self.entered: Entered | None = None  # who waits until it is ready
        self.queue: deque[tuple[bytes, Answered]] = deque()  # the first is under way when BUSY
        self.hang: Handle | None = None
        self.idle: Handle | None = None
        self.used_ms = 0
        self.closed = False


class Residences:
    """All places of a host.

    Args:
        parts: of the host.

    Attributes:
        may_leave: says whether nothing is under way for an actor, and takes it out of memory then.
        lost: is told that an actor's place has ended by itself, when no request was under way.
    """

    def __init__(self, parts: Parts) -> None:
        self._clock = parts.clock
        self._limits = parts.limits
        self.may_leave: Callable[[Who], bool] = _always
        self.lost: Callable[[Who], object] = _always
        self._all: OrderedDict[Who, Residence] = OrderedDict()  # least recently used first
        self._room: Handle | None = None

    def __len__(self) -> int:
        return len(self._all)

    # ---- coming -------------------------------------------------------------------------------
    def enter(self, behavior: Elsewhere, who: Who, entered: Entered) -> None:
        """Have a place for an actor.

        Args:
            behavior: of the actor.
            who: component and entity.
            entered: is told when there is one, or why there will be none; perhaps before this
                returns. Who waits no longer calls `gives_up`.
        """
        residence = self._all.get(who)
        if residence is None:
            if len(self._all) >= self._limits.residences_max and not self._make_room():
                what = "too many entities have a process of their own"
                entered(failures.overloaded(what, self._limits.retry_after_ms))
                return
            residence = self._open(behavior, who)
        self._use(residence)
        if residence.state is State.STARTING:
            assert residence.entered is None, "an actor enters once"
            residence.entered = entered
            self._room_later()
        else:
            entered(None)

    def _open(self, behavior: Elsewhere, who: Who) -> Residence:
        residence = Residence(who, behavior.idle_stop_ms)
        self._all[who] = residence
        residence.place = behavior.places.open(
            *who, lambda: self._ready(residence), lambda reason: self._ended(residence, reason)
        )
        self._idle_after(residence, behavior.idle_stop_ms)
        return residence

    def _ready(self, residence: Residence) -> None:
        if residence.closed:
            return
        assert residence.state is State.STARTING, residence.state
        residence.state = State.READY
        self._use(residence)
        entered, residence.entered = residence.entered, None
        if entered is not None:
            entered(None)

    def gives_up(self, who: Who) -> None:
        """Nobody waits for the place any more; it goes on starting for those who come later."""
        residence = self._all.get(who)
        if residence is not None:
            residence.entered = None

    # ---- requests -----------------------------------------------------------------------------
    def call(self, who: Who, request: bytes, answered: Answered) -> None:
        """Ask a place; it was entered.

        Args:
            who: whose place.
            request: to send.
            answered: is told the answer, or why there is none: nothing was executed then.
        """
        residence = self._all.get(who)
        if residence is None:
            reason = "it had ended before"
            answered(failures.process_ended(*who, reason, self._limits.retry_after_ms))
            return
        assert residence.state is not State.STARTING, "a place is entered first"
        self._use(residence)
        residence.queue.append((request, answered))
        if residence.state is State.READY:
            self._send(residence)

    def _send(self, residence: Residence) -> None:
        residence.state = State.BUSY
        hang_ms = self._limits.handler_hang_ms
        residence.hang = self._clock.call_later(hang_ms, lambda: self._hangs(residence, hang_ms))
        assert residence.place is not None, "it was opened"
        residence.place.call(residence.queue[0][0], lambda answer: self._back(residence, answer))

    def _back(self, residence: Residence, answer: bytes) -> None:
        if residence.closed:
            return
        _, answered = residence.queue.popleft()
        self._quiet(residence)
        residence.state = State.READY
        self._use(residence)
        answered(answer)
        if residence.queue and residence.state is State.READY and not residence.closed:
            self._send(residence)

    def _hangs(self, residence: Residence, hang_ms: int) -> None:
        log.error(
            "%s %r has not answered for %d ms: its process is killed", *residence.who, hang_ms
        )
        self._ended(residence, f"it had not answered for {hang_ms} ms and was killed")

    # ---- going --------------------------------------------------------------------------------
    def leave(self, who: Who) -> None:
        """End the place of an actor, if it has one; no request of it is answered any more."""
        residence = self._all.get(who)
        if residence is not None:
            self._close(residence)

    def clear(self) -> None:
        """The host has ended: end all."""
        for residence in list(self._all.values()):
            self._close(residence)
        if self._room is not None:
            self._room.cancel()
            self._room = None

    def _close(self, residence: Residence) -> None:
        residence.closed = True
        del self._all[residence.who]
        self._quiet(residence)
        if residence.idle is not None:
            residence.idle.cancel()
        if residence.place is not None:
            residence.place.close()

    def _ended(self, residence: Residence, reason: str) -> None:
        if residence.closed:
            return
        entered, starting = residence.entered, residence.state is State.STARTING
        self._close(residence)
        if starting:
            log.error("no process for %s %r: %s", *residence.who, reason)
        else:
            log.error("the process of %s %r has ended: %s", *residence.who, reason)
        failure = failures.process_ended(*residence.who, reason, self._limits.retry_after_ms)
        if entered is not None:
            entered(failure)
        for _, answered in residence.queue:
            answered(failure)
        if not starting and not residence.queue:
            self.lost(residence.who)

    def _quiet(self, residence: Residence) -> None:
        if residence.hang is not None:
            residence.hang.cancel()
            residence.hang = None

    # ---- idle ---------------------------------------------------------------------------------
    def _use(self, residence: Residence) -> None:
        residence.used_ms = self._clock.now_ms()
        self._all.move_to_end(residence.who)

    def _idle_after(self, residence: Residence, delay_ms: int) -> None:
        residence.idle = self._clock.call_later(delay_ms, lambda: self._idle(residence))

    def _idle(self, residence: Residence) -> None:
        rest_ms = residence.used_ms + residence.idle_stop_ms - self._clock.now_ms()
        rest_ms = min(rest_ms, residence.idle_stop_ms)  # the clock may have been set back
        if rest_ms > 0:
            self._idle_after(residence, rest_ms)
        elif not self._let_go(residence):
            self._idle_after(residence, residence.idle_stop_ms)

    def _let_go(self, residence: Residence) -> bool:
        """End a place if nobody needs it now."""
        busy = residence.state is State.BUSY or residence.entered is not None
        if busy or not self.may_leave(residence.who):
            return False
        self.leave(residence.who)
        return True

    # ---- room ---------------------------------------------------------------------------------
    def _room_later(self) -> None:
        if self._room is None:
            self._room = self._clock.call_later(self._limits.residence_room_ms, self._look_for_room)

    def _look_for_room(self) -> None:
        self._room = None
        if any(each.entered is not None for each in self._all.values()):
            self._make_room()
            self._room_later()

    def _make_room(self) -> bool:
        """End the place that was not used for longest; False when all are in use."""
        return any(
            self._let_go(each) for each in list(self._all.values()) if each.state is State.READY
        )


def _always(who: Who) -> bool:
    """Before the host has said what it knows."""
    return True
