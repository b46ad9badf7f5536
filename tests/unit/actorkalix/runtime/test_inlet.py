"""Taking a stream of another service: once, in order, across every kind of end."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from actorkalix.runtime.inlet import Inlet, batches
from actorkalix.runtime.stream_words import Offered
from actorkalix.testkit import TestService
from tests.unit.actorkalix.runtime.streaming import (
    Board,
    Newest,
    Sold,
    Way,
    desk,
    inlet_of,
    noted,
    read_all,
    sell,
    shop,
)

TILLS = [f"t{number}" for number in range(20)]


def test_all_of_it_comes_in_order_and_filtered() -> None:
    async def case() -> None:
        async with TestService(shop) as a, TestService(desk) as b:
            for till in TILLS:
                await sell(a, till, 12)
            inlet, state = inlet_of(b, Way(a))
            assert await read_all(inlet) == len(TILLS) * 10
            for till in TILLS:
                assert await noted(b, till) == (1, 2, 3, 4, 6, 7, 8, 9, 11, 12)
            await b.views_caught_up()
            assert await b.client.view(Board).of("t3") == Newest("t3", 12)
            assert (state.handled, state.behind, state.parts) == (len(TILLS) * 10, 0, 16)

    asyncio.run(case())


def test_the_place_lasts_whoever_is_killed() -> None:
    async def case() -> None:
        async with TestService(shop) as a, TestService(desk) as b:
            way = Way(a)
            inlet, _ = inlet_of(b, way)
            await sell(a, "t1", 3)
            assert await read_all(inlet) == 3
            await b.restart()
            again, _ = inlet_of(b, way)
            assert await read_all(again) == 0, "the marks are where the messages are"
            await sell(a, "t1", 1)
            await a.restart()
            assert await read_all(again) == 1
            assert await noted(b, "t1") == (1, 2, 3, 4)

    asyncio.run(case())


def test_two_readers_take_nothing_twice() -> None:
    async def case() -> None:
        async with TestService(shop) as a, TestService(desk) as b:
            way = Way(a)
            one, other = inlet_of(b, way)[0], inlet_of(b, way)[0]
            await sell(a, "t1", 2)
            assert await one.round() == 2
            await sell(a, "t1", 1)
            await _stale(other, one)
            assert await read_all(other) == 0
            assert await noted(b, "t1") == (1, 2, 3)

    asyncio.run(case())


async def _stale(other: Inlet, one: Inlet) -> None:
    """`other` knows the marks of before `one` has read on."""
    other._marks, other._begins, other._lanes = {}, {}, 16
    assert await read_all(one) == 1
    await other.round()


def test_a_service_that_is_away_is_waited_for() -> None:
    async def case() -> None:
        async with TestService(shop) as a, TestService(desk) as b:
            way = Way(a)
            inlet, state = inlet_of(b, way)
            way.away = True
            slept: list[float] = []
            back = asyncio.Event()

            async def sleep(seconds: float) -> None:
                slept.append(seconds)
                if len(slept) == 10:
                    assert state.view().failure == "ConnectionError: shop is away"
                    way.away = False
                if len(slept) == 14:
                    back.set()
                    await asyncio.Event().wait()

            inlet._sleep = sleep
            await sell(a, "t1", 2)
            inlet.start()
            await back.wait()
            await inlet.aclose()
            assert slept[:10] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0]
            assert slept[10:] == [0.04, 0.08, 0.16, 0.25], "idle then"
            assert not state.away
            assert await noted(b, "t1") == (1, 2)

    asyncio.run(case())


def test_a_service_that_was_set_back_is_named_and_read_from_where_they_part() -> None:
    async def case() -> None:
        async with TestService(desk) as b:
            async with TestService(shop) as a:
                inlet, state = inlet_of(b, Way(a))
                await sell(a, "t1", 3)
                assert await read_all(inlet) == 3
            async with TestService(shop) as other:  # with the same lineage, and less in it
                await sell(other, "t1", 1)
                inlet._services = Way(other)
                await read_all(inlet)
                view = state.view()
                assert view.gaps == 1
                assert "AK4013 lane " in view.gap
                assert "message 3 was taken" in view.gap
                await sell(other, "t1", 3)
                await read_all(inlet)
                assert (await noted(b, "t1"))[:3] == (1, 2, 3)
                assert (await noted(b, "t1"))[-1] == 4
                assert state.view().gaps == 1, "it is said once"

    asyncio.run(case())


def test_what_cannot_be_read_parks_its_subject_alone() -> None:
    async def case() -> None:
        async with TestService(desk) as b:
            given = b.other_stream("shop", "sales")
            held = await given.publish("no sale", subject="t1")
            free = await given.publish(Sold(1), subject="t3")
            assert held.partition != free.partition, "a partition waits as a whole, as of topics"
            await b.advance(timedelta(seconds=1))
            assert await noted(b, "t3") == (1,)
            assert await noted(b, "t1") == ()
            assert b._host is not None
            found = {one.consumer: one for one in b._host.stats().consumers}
            assert found["desk:shop/sales"].parked == 1

    asyncio.run(case())


def test_batches_are_bounded() -> None:
    small = [Offered(number, (1, 1, number), 0, b"x") for number in range(300)]
    assert [len(some) for some in batches(small)] == [128, 128, 44]
    large = [Offered(number, (1, 1, number), 0, b"x" * 200_000) for number in range(3)]
    assert [len(some) for some in batches(large)] == [1, 1, 1]
    assert list(batches([])) == []
