"""Places in the host's own process, for kits and simulations: the same port, without a process.

Everything crosses as bytes, as it does to a process, and answers come later, never from inside of
a call. Whoever plays chance ends a place with `end`, as if its process had been killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from actorkalix_cluster.shardhost.behavior import Behavior
from actorkalix_cluster.shardhost.resident import Resident


class Nearby:
    """`Places` in this process.

    Args:
        behaviors: actor kinds by component id.
        passes: is asked for each request whether its place lives on; one that does not ends
            either before it has run the request or behind it, as the answer never comes.

    Attributes:
        open_now: places that are open.
        opened: places so far.
    """

    def __init__(
        self, behaviors: Mapping[str, Behavior[Any]], passes: Callable[[str], bool] | None = None
    ) -> None:
        self._behaviors = behaviors
        self.passes = passes
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
        """Call in the next turn of the loop, unless the place has ended by then."""
        asyncio.get_running_loop().call_soon(self._if_open, call)

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
        passes = self._places.passes
        if passes is not None and not passes("before"):
            self.end()
            return
        answer = self._resident.answer(request)
        if passes is not None and not passes("behind"):
            self.end()
            return
        self.soon(lambda: done(answer))

    def _if_open(self, call: Callable[[], object]) -> None:
        if self._open:
            call()
