"""Queries of a view that may be elsewhere: here, there, or nowhere for some time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from actorkalix.limits import Limits
from actorkalix.runtime.view_wherever import WhereverRunner
from actorkalix.runtime.virtual import settle
from actorkalix_cluster.rayhost.companion import CompanionAway
from tests.unit.actorkalix.runtime.far_pair import Pair, Scripted, asked


class Near(Scripted):
    """What reads the file here, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.failed = {"AK2036": 2}
        self.ran = 0

    async def run(self, message: Any, elements: Any = None, /) -> Any:
        """Count."""
        self.ran += 1
        return await super().run(message, elements)


class Place:
    """A runner, and where the view is: "near", "far", or "" for nobody knows."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.pair, self.near = Pair(), Near()
        near: Any = self.near
        self.runner = WhereverRunner(
            "tallies",
            near,
            self.pair.queries,
            lambda: self.where == "near",
            self._find,
            self.pair.clock,
            Limits(),
            sleep=self._sleep,
        )

    async def _find(self) -> None:
        if not self.where:
            raise CompanionAway("nobody")

    async def _sleep(self, seconds: float) -> None:
        due = asyncio.Event()
        self.pair.clock.call_later(int(seconds * 1_000), due.set)
        await due.wait()


def run(where: str, case: Callable[[Place], Awaitable[None]]) -> None:
    async def main() -> None:
        place = Place(where)
        await case(place)
        await place.pair.aclose()

    asyncio.run(main())


def test_what_is_here_is_read_here() -> None:
    async def case(place: Place) -> None:
        first = place.runner.begin(asked("now"))
        assert first is not None and first.payload == b"now"
        assert (await place.runner.run(asked("later"))).payload == b"later"
        assert len([each async for each in place.runner.stream(asked("3"))]) == 3
        assert (place.near.ran, place.pair.calls) == (1, [])

    run("near", case)


def test_what_is_there_is_asked_there() -> None:
    async def case(place: Place) -> None:
        assert place.runner.begin(asked("now")) is None, "a file here may be an old one"
        assert (await place.runner.run(asked("now"))).payload == b"now"
        assert len([each async for each in place.runner.stream(asked("3"))]) == 3
        assert place.near.ran == 0
        await place.runner.run(asked("bug"))
        assert place.runner.failed == {"AK2036": 2, "AK9001": 1}

    run("far", case)


def test_a_query_waits_until_it_is_known_where_and_no_longer_than_its_time() -> None:
    async def case(place: Place) -> None:
        waiting = asyncio.create_task(place.runner.run(asked("now")))
        await place.pair.clock.advance(2_000)
        place.where = "far"
        await place.pair.clock.advance(200)
        assert (await waiting).payload == b"now"
        place.where = ""
        deadline_ms = place.pair.clock.now_ms() + 1_000
        late = asyncio.create_task(place.runner.run(asked("now", deadline_ms)))
        await place.pair.clock.advance(1_600)
        failure = (await late).failure
        assert failure is not None and failure.number == "AK3012"
        stream = asyncio.create_task(anext(place.runner.stream(asked("3", deadline_ms + 1))))
        await place.pair.clock.advance(2_000)
        failure = (await stream).failure
        assert failure is not None and failure.number == "AK3012"

    run("", case)


def test_a_query_whose_process_ends_is_asked_of_the_next_one() -> None:
    async def case(place: Place) -> None:
        waiting = asyncio.create_task(place.runner.run(asked("wait")))
        await settle()
        place.pair.ended = "it was killed"
        nudged = asyncio.create_task(place.runner.run(asked("now")))
        await place.pair.clock.advance(1_000)
        assert not waiting.done() and not nudged.done()
        place.pair.ended = ""
        place.pair.runner.gate.set()
        await place.pair.clock.advance(200)
        assert [one.payload for one in await asyncio.gather(waiting, nudged)] == [b"wait", b"now"]

    run("far", case)


def test_a_stream_that_has_begun_says_that_its_process_ended() -> None:
    async def case(place: Place) -> None:
        replies = place.runner.stream(asked("1 wait"))
        assert (await anext(replies)).payload == b"0"
        place.pair.ended = "it was killed"
        nudged = asyncio.create_task(place.runner.run(asked("now")))
        last = await anext(replies)
        assert last.failure is not None and last.failure.number == "AK3012"
        assert "it was killed" in last.failure.message
        place.pair.ended = ""
        await place.pair.clock.advance(200)
        assert (await nudged).payload == b"now"

    run("far", case)


def test_a_stream_that_has_not_begun_is_asked_again() -> None:
    async def case(place: Place) -> None:
        place.pair.ended = "it was killed"
        coming = asyncio.create_task(anext(place.runner.stream(asked("3"))))
        await place.pair.clock.advance(1_000)
        assert not coming.done()
        place.pair.ended = ""
        await place.pair.clock.advance(200)
        assert (await coming).payload == b"0"
        place.pair.ended = "it was killed"
        never = asyncio.create_task(anext(place.runner.stream(asked("3"))))
        await place.pair.clock.advance(20_000)
        failure = (await never).failure
        assert failure is not None and failure.number == "AK3012"

    run("far", case)
