"""Places in this process: later, through bytes, and dead when the weather says so."""

from __future__ import annotations

from collections.abc import Callable

from actorkalix.runtime.virtual import settle
from actorkalix_cluster.shardhost.elsewhere import Load, Loaded, answer_in, packed
from actorkalix_cluster.shardhost.nearby import Nearby
from tests.unit.cluster.shardhost.counter import COUNTER, CounterBehavior
from tests.unit.cluster.shardhost.rig import run

LOAD = packed(Load(COUNTER, "a", None))


class Storm:
    """Weather that ends a place at the n-th question."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.asked = 0

    def delay_s(self) -> float:
        """A turn of a timer."""
        return 1e-6

    def ends(self) -> bool:
        """At the n-th."""
        self.asked += 1
        return self.asked == self.at


def told(into: list[object], what: object) -> Callable[[], object]:
    """Notes it."""
    return lambda: into.append(what)


def test_everything_is_told_later_and_nothing_after_close() -> None:
    async def case() -> None:
        heard: list[object] = []
        places = Nearby({COUNTER: CounterBehavior()})
        place = places.open(COUNTER, "a", told(heard, "ready"), heard.append)
        assert not heard
        await settle()
        place.call(LOAD, lambda answer: heard.append(answer_in(answer)))
        assert heard == ["ready"]
        await settle()
        assert heard == ["ready", Loaded(0)]
        place.call(LOAD, heard.append)
        place.close()
        place.end()
        await settle()
        assert len(heard) == 2
        assert not places.open_now

    run(case())


def test_the_weather_ends_places_before_and_behind_a_request() -> None:
    async def case(at: int, steps: int) -> None:
        heard: list[object] = []
        behavior = CounterBehavior()
        places = Nearby({COUNTER: behavior}, Storm(at))
        place = places.open(COUNTER, "a", int, heard.append)
        place.call(LOAD, heard.append)
        while not heard:
            await settle()
        assert heard == ["it was killed or crashed"]
        assert places.opened == 1
        assert places.weather.ends() is False

    run(case(1, 0))
    run(case(2, 1))
