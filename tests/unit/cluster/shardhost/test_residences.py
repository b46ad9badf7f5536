"""Places are made, asked one request at a time, and ended when nobody needs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from actorkalix.runtime.virtual import VirtualClock
from actorkalix_cluster.shardhost.committer import InlineCommitter
from actorkalix_cluster.shardhost.elsewhere import Elsewhere
from actorkalix_cluster.shardhost.limits import HostLimits
from actorkalix_cluster.shardhost.messages import Failure
from actorkalix_cluster.shardhost.observer import SilentObserver
from actorkalix_cluster.shardhost.parts import Parts
from actorkalix_cluster.shardhost.residences import Residences
from actorkalix_cluster.shardhost.shards import Shards
from actorkalix_cluster.shardhost.ticket import Desk
from actorkalix_cluster.shardhost.watchdog import Watch
from tests.unit.cluster.shardhost.counter import COUNTER, CounterBehavior
from tests.unit.cluster.shardhost.rig import new_store, run

IDLE_STOP_MS = 1_000


class HeldPlace:
    """A place that does what the test says."""

    def __init__(self, ready: Callable[[], object], ended: Callable[[str], object]) -> None:
        self.ready = ready
        self.ended = ended
        self.requests: list[tuple[bytes, Callable[[bytes], object]]] = []
        self.closed = False

    def call(self, request: bytes, done: Callable[[bytes], object], /) -> None:
        """Note it."""
        self.requests.append((request, done))

    def answer(self) -> None:
        """Answer the newest with itself."""
        request, done = self.requests[-1]
        done(request)

    def close(self) -> None:
        """Note it."""
        self.closed = True


class HeldPlaces:
    """Makes them."""

    def __init__(self) -> None:
        self.made: list[HeldPlace] = []

    def open(
        self,
        component: str,
        entity: str,
        ready: Callable[[], object],
        ended: Callable[[str], object],
        /,
    ) -> HeldPlace:
        """One that is not ready yet."""
        self.made.append(HeldPlace(ready, ended))
        return self.made[-1]


class Case:
    """Residences, and what they have told."""

    def __init__(self, **limits: Any) -> None:
        store, self.clock = new_store(), VirtualClock()
        bounds = HostLimits(**limits)
        self.residences = Residences(
            Parts(
                *(store, InlineCommitter(store), self.clock, bounds, SilentObserver()),
                *(Shards(self.clock), Desk(SilentObserver()), Watch(bounds)),
            )
        )
        self.places = HeldPlaces()
        self.behavior = Elsewhere(CounterBehavior(), self.places, IDLE_STOP_MS)
        self.entered: list[tuple[str, str]] = []
        self.answers: list[bytes | Failure] = []
        self.lost: list[str] = []
        self.busy: set[str] = set()
        self.residences.may_leave = lambda who: who[1] not in self.busy
        self.residences.lost = lambda who: self.lost.append(who[1])

    def enter(self, entity: str) -> None:
        """An actor wants a place."""

        def entered(failure: Failure | None) -> None:
            self.entered.append((entity, "" if failure is None else failure.number))

        self.residences.enter(self.behavior, (COUNTER, entity), entered)

    def live(self, entity: str) -> HeldPlace:
        """An actor with a place that is ready."""
        self.enter(entity)
        place = self.places.made[-1]
        place.ready()
        return place

    def call(self, entity: str, request: bytes) -> None:
        """Ask a place."""
        self.residences.call((COUNTER, entity), request, self.answers.append)

    @property
    def numbers(self) -> list[str]:
        """Of what was answered with a failure."""
        return [each.number for each in self.answers if isinstance(each, Failure)]


def test_who_enters_waits_until_it_is_ready_and_finds_it_again() -> None:
    case = Case()
    case.enter("a")
    assert case.entered == []
    case.places.made[0].ready()
    assert case.entered == [("a", "")]
    case.enter("a")
    assert case.entered == [("a", "")] * 2
    assert len(case.places.made) == len(case.residences) == 1


def test_one_request_is_under_way_and_the_others_wait_in_order() -> None:
    case = Case()
    place = case.live("a")
    for request in (b"1", b"2", b"3"):
        case.call("a", request)
    assert [request for request, _ in place.requests] == [b"1"]
    for _ in range(3):
        place.answer()
    assert case.answers == [b"1", b"2", b"3"]


def test_what_waits_is_told_when_the_place_ends(caplog: pytest.LogCaptureFixture) -> None:
    case = Case()
    place = case.live("a")
    case.call("a", b"1")
    case.call("a", b"2")
    place.ended("it was killed")
    place.ended("twice")
    assert case.numbers == ["AK3008"] * 2
    assert case.lost == []  # whoever has asked knows it
    assert "it was killed" in caplog.text
    case.call("a", b"3")
    assert case.numbers == ["AK3008"] * 3
    place.answer()  # too late
    assert len(case.answers) == 3
    case.live("a")
    assert len(case.places.made) == 2


def test_an_end_without_a_request_is_told_too() -> None:
    case = Case()
    case.live("a").ended("it was killed")
    assert case.lost == ["a"]
    assert len(case.residences) == 0


def test_who_waits_for_a_start_that_fails_is_told() -> None:
    case = Case()
    case.enter("a")
    case.places.made[0].ended("no such package")
    assert case.entered == [("a", "AK3008")]
    assert case.lost == []


def test_a_request_that_hangs_ends_the_place() -> None:
    async def hangs() -> None:
        case = Case(handler_hang_ms=500)
        place = case.live("a")
        case.call("a", b"1")
        await case.clock.advance(499)
        place.answer()
        case.call("a", b"2")
        case.call("a", b"3")
        await case.clock.advance(499)
        assert (place.closed, case.numbers) == (False, [])
        await case.clock.advance(1)
        assert (place.closed, len(case.residences)) == (True, 0)
        assert case.answers[0] == b"1"
        assert case.numbers == ["AK3008"] * 2

    run(hangs())


def test_an_idle_place_is_ended_but_none_in_use() -> None:
    async def idles() -> None:
        case = Case(handler_hang_ms=100_000)
        idle, busy, asked = case.live("a"), case.live("b"), case.live("c")
        case.busy.add("b")
        case.call("c", b"1")
        await case.clock.advance(IDLE_STOP_MS - 1)
        assert not idle.closed
        await case.clock.advance(1)
        assert (idle.closed, busy.closed, asked.closed) == (True, False, False)
        case.busy.clear()
        asked.answer()
        await case.clock.advance(IDLE_STOP_MS)
        assert (busy.closed, asked.closed) == (True, True)
        assert len(case.residences) == 0

    run(idles())


def test_a_start_for_which_nobody_waits_goes_on_for_a_while() -> None:
    async def starts() -> None:
        case = Case()
        case.enter("a")
        case.residences.gives_up((COUNTER, "a"))
        case.enter("a")
        assert len(case.places.made) == 1
        case.residences.gives_up((COUNTER, "a"))
        await case.clock.advance(IDLE_STOP_MS)
        assert case.places.made[0].closed
        case.places.made[0].ready()  # too late
        assert case.entered == []

    run(starts())


def test_one_that_waits_for_room_gets_that_of_the_longest_idle() -> None:
    async def waits() -> None:
        case = Case(residence_room_ms=200)
        first, second, third = case.live("a"), case.live("b"), case.live("c")
        case.busy.add("b")
        case.call("a", b"1")
        first.answer()  # used last
        case.enter("d")
        await case.clock.advance(199)
        assert not third.closed
        await case.clock.advance(1)
        assert (first.closed, second.closed, third.closed) == (False, False, True)
        case.places.made[-1].ready()
        await case.clock.advance(400)
        assert not first.closed  # nobody waits any more

    run(waits())


def test_there_are_only_so_many() -> None:
    case = Case(residences_max=2)
    first = case.live("a")
    case.live("b")
    case.busy.update(("a", "b"))
    case.enter("c")
    assert case.entered[-1] == ("c", "AK3001")
    case.busy.remove("a")
    case.enter("c")
    assert first.closed
    assert len(case.residences) == 2


def test_the_end_of_the_host_ends_all_and_tells_nothing() -> None:
    case = Case()
    place = case.live("a")
    case.enter("b")
    case.call("a", b"1")
    case.residences.clear()
    assert all(each.closed for each in case.places.made)
    place.answer()
    assert case.answers == []
    assert case.entered == [("a", "")]
