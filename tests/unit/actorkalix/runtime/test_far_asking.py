"""Queries of a view on another node, from the host's side, against the process's own code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import pytest

from actorkalix.errors import Overloaded
from actorkalix.limits import Limits
from actorkalix.runtime.far_asking import Lost
from actorkalix.runtime.far_frames import ELEMENT_BYTES, WINDOW_BYTES, said_in
from actorkalix.runtime.virtual import settle
from actorkalix_cluster.shardhost.messages import Reply
from actorkalix_storage.api import Position
from tests.unit.actorkalix.runtime.far_pair import Pair, asked

HELD = WINDOW_BYTES // ELEMENT_BYTES  # elements of a byte or two, at most


def run(case: Callable[[Pair], Awaitable[None]], limits: Limits | None = None) -> None:
    async def main() -> None:
        pair = Pair(limits)
        await case(pair)
        await pair.aclose()

    asyncio.run(main())


def test_a_query_is_answered() -> None:
    async def case(pair: Pair) -> None:
        for method in ("now", "later"):
            assert (await pair.queries.ask(asked(method))).payload == method.encode()
        failure = (await pair.queries.ask(asked("bug"))).failure
        assert failure is not None and failure.number == "AK9001"
        assert len(pair.queries) == 0

    run(case)


def test_its_deadline_goes_along_as_what_is_left_of_it() -> None:
    async def case(pair: Pair) -> None:
        now_ms = pair.clock.now_ms()
        await pair.queries.ask(asked("now", now_ms + 700))
        await pair.queries.ask(asked("now"))
        assert pair.runner.deadlines == [now_ms + 700, 0]

    run(case)


def test_what_is_asked_meanwhile_goes_along_in_one_batch() -> None:
    async def case(pair: Pair) -> None:
        first = asyncio.create_task(pair.queries.ask(asked("wait")))
        await settle()
        many = [asyncio.create_task(pair.queries.ask(asked("now"))) for _ in range(50)]
        await asyncio.gather(*many)
        assert len(pair.calls) <= 5, "one that waits, one with the first, one with the others"
        pair.runner.gate.set()
        assert (await first).payload == b"wait"

    run(case)


def test_calls_that_overtake_each_other_change_nothing() -> None:
    async def case(pair: Pair) -> None:
        late = asyncio.Event()

        async def between(number: int) -> None:
            if number == 1:
                await late.wait()

        pair.between = between
        first = asyncio.create_task(pair.queries.ask(asked("now")))
        await settle()
        second = asyncio.create_task(pair.queries.ask(asked("later")))
        await settle()
        assert not second.done(), "it waits for the first"
        late.set()
        assert [one.payload for one in await asyncio.gather(first, second)] == [b"now", b"later"]

    run(case)


def test_who_goes_away_is_dropped_there_too() -> None:
    async def case(pair: Pair) -> None:
        waiting = asyncio.create_task(pair.queries.ask(asked("wait")))
        await settle()
        waiting.cancel()
        await asyncio.wait([waiting])
        await settle()
        assert pair.runner.cancelled == ["wait"]
        async with aclosing(pair.queries.stream(asked("1 wait"))) as replies:
            assert (await anext(replies)).payload == b"0"
        await settle()
        assert pair.runner.cancelled == ["wait", "1 wait"]
        assert len(pair.queries) == 0

    run(case)


def test_a_stream_has_all_its_elements_in_order() -> None:
    async def case(pair: Pair) -> None:
        count = 5 * HELD + 7
        found = [int(one.payload) async for one in pair.queries.stream(asked(f"{count}"))]
        assert found == list(range(count))

    run(case)


def test_a_slow_reader_holds_a_few_elements_and_no_more() -> None:
    async def case(pair: Pair) -> None:
        async with aclosing(pair.queries.stream(asked("10000 wait"))) as replies:
            await anext(replies)
            await settle()
            assert pair.runner.given <= HELD + 2
            for _ in range(HELD):
                await anext(replies)
            await settle()
            assert HELD < pair.runner.given <= 2 * HELD + 2

    run(case)


def test_large_elements_wait_for_room() -> None:
    async def case(pair: Pair) -> None:
        replies = [pair.queries.stream(asked("20 large")) for _ in range(10)]
        counts = await asyncio.gather(*(_count(each) for each in replies))
        assert counts == [20] * 10

    run(case)


async def _count(replies: AsyncGenerator[Reply]) -> int:
    return len([each async for each in replies])


def test_what_is_under_way_when_the_process_ends_is_lost() -> None:
    async def case(pair: Pair) -> None:
        waiting = asyncio.create_task(pair.queries.ask(asked("wait")))
        stream = pair.queries.stream(asked("1 wait"))
        assert (await anext(stream)).payload == b"0"
        pair.ended = "it was killed"
        nudged = asyncio.create_task(pair.queries.ask(asked("now")))
        for lost in (waiting, nudged):
            with pytest.raises(Lost):
                await lost
        with pytest.raises(Lost, match="it was killed"):
            await anext(stream)
        pair.ended = ""
        assert (await pair.queries.ask(asked("now"))).payload == b"now", "the next one is asked"

    run(case)


def test_another_process_knows_nothing_of_what_was_asked_before() -> None:
    async def case(pair: Pair) -> None:
        for _ in range(3):
            await pair.queries.ask(asked("now"))
        pair.answers._sessions.clear()
        with pytest.raises(Lost, match="the process is another one"):
            await pair.queries.ask(asked("now"))
        assert (await pair.queries.ask(asked("now"))).payload == b"now"
        assert len({said_in(each).session for each in pair.calls}) == 2

    run(case)


def test_too_many_are_refused() -> None:
    async def case(pair: Pair) -> None:
        waiting = [asyncio.create_task(pair.queries.ask(asked("wait"))) for _ in range(2)]
        await settle()
        with pytest.raises(Overloaded):
            await pair.queries.ask(asked("now"))
        pair.runner.gate.set()
        await asyncio.gather(*waiting)

    run(case, Limits(view_queries_max=2))


def test_the_process_asks_the_host_where_the_shards_are() -> None:
    async def case(pair: Pair) -> None:
        pair.places.newest = {3: Position(7, 1, 9)}
        pair.places.subjects = {(3, 9): ("counter", "a")}
        found = await pair.queries.ask(asked("heads"))
        assert found.payload == f"16 {[(3, Position(7, 1, 9))]}".encode()
        assert (await pair.queries.ask(asked("subject"))).payload == b"('counter', 'a')"

    run(case)


def test_after_a_rest_another_session_begins() -> None:
    async def case(pair: Pair) -> None:
        for _ in range(3):
            await pair.queries.ask(asked("now"))
        await pair.clock.advance(100_000)
        assert (await pair.queries.ask(asked("now"))).payload == b"now", "it was forgotten there"
        assert len({said_in(each).session for each in pair.calls}) == 2

    run(case)
