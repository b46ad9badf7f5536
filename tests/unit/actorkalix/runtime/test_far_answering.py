"""A view's process that is asked from other nodes: sessions, leases, what it cannot read."""

from __future__ import annotations

import asyncio

import pytest

from actorkalix.runtime.far_answering import LEASE_MS, POLL_MS, FarAnswers
from actorkalix.runtime.far_frames import Asked, Heard, Said, heard_in, packed
from actorkalix.runtime.virtual import VirtualClock, settle
from actorkalix_cluster.shardhost.versioned import OtherProtocol
from tests.unit.actorkalix.runtime.far_pair import Pair, Scripted, asked


def said(number: int, *frames: Asked) -> bytes:
    return packed(Said(5, number, 16, 7, frames))


def test_a_call_for_which_there_is_nothing_returns_in_time() -> None:
    async def case() -> None:
        clock = VirtualClock()
        answers = FarAnswers(Scripted(), clock)
        call = asyncio.create_task(answers.exchange(said(0)))
        await clock.advance(POLL_MS - 1)
        assert not call.done()
        await clock.advance(1)
        assert heard_in(await call) == Heard(0)
        await answers.aclose()

    asyncio.run(case())


def test_the_next_call_lets_the_one_before_return() -> None:
    async def case() -> None:
        answers = FarAnswers(Scripted(), VirtualClock())
        first = asyncio.create_task(answers.exchange(said(0)))
        await settle()
        second = asyncio.create_task(answers.exchange(said(1, Asked(1, False, 0, asked("now")))))
        numbers = {heard_in(await first).number, heard_in(await second).number}
        assert numbers == {0, 1}
        await answers.aclose()

    asyncio.run(case())


def test_a_host_that_calls_no_more_is_forgotten_with_all_that_it_asked() -> None:
    async def case() -> None:
        clock, runner = VirtualClock(), Scripted()
        answers = FarAnswers(runner, clock)
        call = asyncio.create_task(answers.exchange(said(0, Asked(1, False, 0, asked("wait")))))
        await clock.advance(POLL_MS)
        await call
        await clock.advance(LEASE_MS // 2)
        assert runner.cancelled == []
        await clock.advance(2 * LEASE_MS)
        assert runner.cancelled == ["wait"]
        late = await answers.exchange(said(2))
        assert heard_in(late).number == -1, "it has to begin anew"
        await answers.aclose()

    asyncio.run(case())


def test_a_host_that_does_not_say_where_its_shards_are_is_away() -> None:
    async def case() -> None:
        clock = VirtualClock()
        answers = FarAnswers(Scripted(), clock)
        call = asyncio.create_task(answers.exchange(said(0, Asked(1, False, 0, asked("heads")))))
        [question] = heard_in(await call).questions
        assert question.method == "views.heads"
        call = asyncio.create_task(answers.exchange(said(1)))
        await clock.advance(5_000)
        [element] = heard_in(await call).elements
        assert element.reply.failure is not None
        await answers.aclose()

    asyncio.run(case())


@pytest.mark.parametrize("garbage", [b"", b"\x09", b"\x02\x93"])
def test_bytes_of_another_version_are_refused(garbage: bytes) -> None:
    async def case() -> None:
        answers = FarAnswers(Scripted(), VirtualClock())
        with pytest.raises(OtherProtocol):
            await answers.exchange(garbage)

    asyncio.run(case())


def test_streams_pause_while_too_much_lies_there() -> None:
    async def case() -> None:
        pair = Pair()
        streams = [pair.queries.stream(asked("30 large")) for _ in range(4)]
        firsts = [asyncio.create_task(anext(one)) for one in streams]
        await asyncio.gather(*firsts)
        await settle()
        assert pair.runner.given < 120, "not all of 120 MB is here"
        for one in streams:
            await one.aclose()
        await pair.aclose()

    asyncio.run(case())
