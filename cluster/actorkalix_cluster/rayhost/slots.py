"""A store's place in the fleet: its state, who is there, since when. The table is in `fleet`."""

from __future__ import annotations

import asyncio
import enum
import time

from actorkalix_cluster.rayhost.actors import Actor


class SlotState(enum.Enum):
    """Where a store is."""

    AWAY = "away"
    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"
    FENCED = "fenced"


class Slot:
    """One store of the fleet.

    Attributes:
        number: of the store.
        state: where it is.
        actor: the process that has it, or is opening it.
        incarnation: of the newest opening.
        since_ms: when the state began, milliseconds since 1970.
        reason: why it is fenced.
        is_open: others may send to its host.
        replace: its host is to be replaced.
        news: its host has something to be told.
        leaving: others are to keep what they have for it until the next host serves.
        expected_end: its host was told to stop, and its end is no death.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.state = SlotState.AWAY
        self.actor: Actor | None = None
        self.incarnation = 0
        self.since_ms = _now_ms()
        self.reason = ""
        self.is_open = False
        self.replace = asyncio.Event()
        self.news = asyncio.Event()
        self.leaving = False
        self.expected_end = False
        self._away_since: float | None = None
        self._changed = asyncio.Event()

    @property
    def serves(self) -> bool:
        """Its host answers."""
        return self.state is SlotState.SERVING

    async def changed(self) -> None:
        """Return at the next change of the state."""
        await self._changed.wait()

    def start(self, actor: Actor, incarnation: int) -> None:
        """A process opens it."""
        self.actor, self.incarnation = actor, incarnation
        self.replace.clear()
        self._turn(SlotState.STARTING)

    def serve(self) -> float:
        """It is open; returns the seconds that it was not."""
        self.is_open, self.leaving = True, False
        self._turn(SlotState.SERVING)
        away_since, self._away_since = self._away_since, None
        return 0.0 if away_since is None else time.monotonic() - away_since

    def drain(self) -> None:
        """Its host finishes what it has."""
        self._turn(SlotState.DRAINING)

    def lose(self) -> None:
        """Its host has ended."""
        self.is_open, self.actor = False, None
        self._away_since = time.monotonic()
        self._turn(SlotState.AWAY)

    def fence(self, reason: str) -> None:
        """Nobody opens it any more."""
        self.is_open, self.leaving, self.actor, self.reason = False, False, None, reason
        self._turn(SlotState.FENCED)

    def _turn(self, state: SlotState) -> None:
        self.state = state
        self.since_ms = _now_ms()
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
