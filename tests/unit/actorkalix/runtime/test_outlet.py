"""Offering a stream: who may read it, what is read, and from where."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest

from actorkalix.errors import OwnerAway, StreamNotOffered, UnknownStream
from actorkalix.runtime.stream_words import VERSION, Answer, Asked, Wanted
from actorkalix.testkit import TestService
from actorkalix_cluster.shardhost.feeding import BEGINNING
from tests.unit.actorkalix.runtime.streaming import Way, sell, shop


def _asked(service: str = "desk", stream: str = "sales", *wanted: Wanted) -> bytes:
    return msgspec.msgpack.encode(Asked(VERSION, service, stream, wanted))


async def _answer(way: Way, *wanted: Wanted) -> Answer:
    answer = await way.outlet.answer(_asked("books-1", "sales", *wanted))
    return msgspec.msgpack.decode(answer, type=Answer)


def test_who_may_read_what() -> None:
    async def case() -> None:
        async with TestService(shop) as a:
            way = Way(a)
            assert (await _answer(way)).lanes == 16
            with pytest.raises(StreamNotOffered, match=r"to desk, books-\*, not to books"):
                await way.outlet.answer(_asked("books"))
            with pytest.raises(UnknownStream, match="did you mean sales"):
                await way.outlet.answer(_asked("desk", "sale"))

    asyncio.run(case())


def test_reading_goes_on_behind_what_was_read() -> None:
    async def case() -> None:
        async with TestService(shop) as a:
            way = Way(a)
            await sell(a, "t1", 4)
            found = await _answer(way, *(Wanted(lane, BEGINNING) for lane in range(16)))
            assert found.away == ""
            (lane,) = [one for one in found.read if one.messages]
            assert [one.number for one in lane.messages] == [1, 2, 3, 4]
            assert (lane.newest, lane.parted) == (4, False)
            (rest,) = (await _answer(way, Wanted(lane.lane, lane.through))).read
            assert rest.messages == ()
            await sell(a, "t1", 2)  # the fifth is not told
            (rest,) = (await _answer(way, Wanted(lane.lane, lane.through))).read
            assert [one.number for one in rest.messages] == [5]
            assert rest.messages[0].place[2] > lane.messages[-1].place[2]

    asyncio.run(case())


def test_another_history_is_told_with_where_it_parts() -> None:
    async def case() -> None:
        async with TestService(shop) as a:
            way = Way(a)
            await sell(a, "t1", 2)
            found = await _answer(way, *(Wanted(lane, BEGINNING) for lane in range(16)))
            (lane,) = [one for one in found.read if one.messages]
            lineage, epoch, offset = lane.through
            (parted,) = (await _answer(way, Wanted(lane.lane, (lineage, epoch, offset + 5)))).read
            assert (parted.parted, parted.through) == (True, lane.through)
            (parted,) = (await _answer(way, Wanted(lane.lane, (lineage + 1, epoch, 1)))).read
            assert (parted.parted, parted.through[2], parted.messages) == (True, 0, ())

    asyncio.run(case())


def test_a_store_that_is_away_is_said_and_no_lane_of_it_is_there() -> None:
    async def case() -> None:
        async with TestService(shop) as a:
            way = Way(a)

            class Away:
                def stores(self) -> tuple[int, ...]:
                    return (0,)

                async def call(self, store: int, method: str, arguments: bytes) -> bytes:
                    raise OwnerAway(f"no host has store {store} open")

            way.outlet._calls = Away()
            await a.advance(timedelta(0))
            found = await _answer(way, Wanted(0, BEGINNING))
            assert (found.read, found.away) == ((), "shop: no host has store 0 open")

    asyncio.run(case())
