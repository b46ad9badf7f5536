"""A service that starts is ready when its views can be asked, or have had their time."""

from __future__ import annotations

from actorkalix.errors import ViewIncomplete
from actorkalix.runtime.view_readiness import PATIENCE_S, ViewsReady


class Place:
    """Views, and the time."""

    def __init__(self, *incomplete: str) -> None:
        self.now_s = 100.0
        self.incomplete = set(incomplete)
        self.asked: list[str] = []
        self.ready = ViewsReady(
            {"a": lambda: self._served("a"), "b": lambda: self._served("b")},
            monotonic_s=lambda: self.now_s,
        )

    def _served(self, view: str) -> str:
        self.asked.append(view)
        if view in self.incomplete:
            raise ViewIncomplete(f"{view} is being built")
        return "file"


def test_it_waits_for_all_and_never_again() -> None:
    place = Place("a", "b")
    assert list(place.ready()) == ["a is being built", "b is being built"]
    place.incomplete = {"b"}
    assert list(place.ready()) == ["b is being built"]
    place.incomplete = {"a"}
    assert list(place.ready()) == [], "a was there once, b is"
    asked = len(place.asked)
    assert list(place.ready()) == []
    assert len(place.asked) == asked


def test_a_view_that_takes_long_holds_up_nothing_else() -> None:
    place = Place("a")
    place.now_s += PATIENCE_S - 0.1
    assert list(place.ready()) == ["a is being built"]
    place.now_s += 0.1
    assert list(place.ready()) == []
