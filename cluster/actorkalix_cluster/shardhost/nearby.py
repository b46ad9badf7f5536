"""Places in the host's own process, for kits and simulations: the same port, without a process.

Everything crosses as bytes, as it does to a process, and answers come later, never from inside of
a call. `Weather` says how much later, and which places end on the way, as if they had been killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from actorkalix_cluster.shardhost.behavior import Behavior
from actorkalix_cluster.shardhost.resident import Resident


class Weather(Protocol):
    """What places have to go through."""

    def delay_s(self) -> float:
        """How long the next step of a place takes."""
        ...

    def ends(self) -> bool:
        """A place ends now: it is asked before a request is run, and before its answer leaves."""
        ...


class Calm:
    """Weather in which nothing takes time and nothing ends."""

    def delay_s(self) -> float:
        """None."""
        return 0.0

    def ends(self) -> bool:
        """Never."""
        return False


class Nearby:
    """`Places` in this process.

    Args:
        behaviors: actor kinds by component id.
        weather: of its places.

    Attributes:
        open_now: places that are open.
        opened: places so far.
    """

    def __init__(
        self, behaviors: Mapping[str, Behavior[Any]], weather: Weather | None = None
    ) -> None:
        self._behaviors = behaviors
        self.weather: Weather = weather or Calm()
        self.open_now: dict[tuple[str, str], NearbyPlace] = {}
        self.opened = 0

    def open(
        self,
        component: str,
        entity: str,
        ready: Callable[[], object],
        ended: Callable[[str], object],
        /,
    ) -> NearbyPlace:
        """A place that is ready in the next turn of the loop."""
        place = NearbyPlace(self, component, entity, Resident(self._behaviors), ended)
        self.open_now[component, entity] = place
        self.opened += 1
        place.soon(ready)
        return place


class NearbyPlace:
    """A `Place` that is none of its own."""

    def __init__(
        self,
        places: Nearby,
        component: str,
        entity: str,
        resident: Resident,
        ended: Callable[[str], object],
    ) -> None:
        self._places = places
        self._who = (component, entity)
        self._resident = resident
        self._ended = ended
        self._open = True

    def soon(self, call: Callable[[], object]) -> None:
        """Call in a later turn of the loop, unless the place has ended by then."""
        loop, delay_s = asyncio.get_running_loop(), self._places.weather.delay_s()
        if delay_s:
            loop.call_later(delay_s, self._if_open, call)
        else:
            loop.call_soon(self._if_open, call)

    def call(self, request: bytes, done: Callable[[bytes], object], /) -> None:
        """Answer a request, in a later turn of the loop."""
        self.soon(lambda: self._run(request, done))

    def end(self, reason: str = "it was killed or crashed") -> None:
        """End it, as a kill would."""
        if self._open:
            self.close()
            self._ended(reason)

    def close(self) -> None:
        """Nothing is told any more."""
        self._open = False
        if self._places.open_now.get(self._who) is self:
            del self._places.open_now[self._who]

    def _run(self, request: bytes, done: Callable[[bytes], object]) -> None:
        weather = self._places.weather
        if weather.ends():
            self.end()
            return
        answer = self._resident.answer(request)
        if weather.ends():
            self.end()
        else:
            self.soon(lambda: done(answer))

    def _if_open(self, call: Callable[[], object]) -> None:
        if self._open:
            call()
