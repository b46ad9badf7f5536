"""Waits for what a caller has seen: they end when it is there, when it cannot be, or in time."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from pathlib import Path

import pytest

from actorkalix.errors import (
    InvalidPayload,
    SubjectParked,
    TokenUnreachable,
    ViewBehind,
)
from actorkalix.gateway import tokens
from actorkalix.limits import Limits
from actorkalix.runtime.view_waits import Waits
from actorkalix.runtime.virtual import VirtualClock
from actorkalix.views.reading import ReaderPool
from actorkalix.views.watching import Watcher
from actorkalix_storage.api import Position
from tests.unit.actorkalix.runtime.counted import Shards
from tests.unit.actorkalix.views.files import File


class Desk:
    """A file, and waits for it."""

    def __init__(self, path: Path, *, reachable: bool = True) -> None:
        self.file = File(path)
        self.places, self.clock = Shards(), VirtualClock()
        self.pool = ReaderPool(lambda: self.file.uri, threads=0)
        self.watcher = Watcher(lambda: self.pool.reader().version(), look_every_s=0)
        self.waits = Waits(
            *("tallies", self.pool, self.watcher, self.places, self.clock, Limits()),
            reachable=reachable,
        )

    def close(self) -> None:
        """Close all connections."""
        self.pool.close()
        self.file.close()

    async def refused(self, after: str, kind: type[Exception], ms: int = 0) -> str:
        """What a wait says that fails, after some time."""
        waiting = asyncio.create_task(self.waits.until(after, 0))
        await self.clock.advance(ms)
        with pytest.raises(kind) as caught:
            await waiting
        return str(caught.value)


@pytest.fixture
def desk(tmp_path: Path) -> Generator[Desk]:
    made = Desk(tmp_path / "g1.sqlite")
    yield made
    made.close()


def token(shard: int = 3, offset: int = 10, lineage: int = 7) -> str:
    return tokens.token_of(shard, Position(lineage, 1, offset)).decode()


def test_what_is_passed_is_not_waited_for(desk: Desk) -> None:
    desk.file.stand(3, 7, 1, 10)
    asyncio.run(desk.waits.until(token(), 0))


def test_the_wait_ends_when_the_view_gets_there(desk: Desk) -> None:
    async def scenario() -> None:
        waiting = asyncio.create_task(desk.waits.until(token(), 0))
        await desk.clock.advance(1_000)
        desk.file.stand(3, 7, 1, 9)
        desk.watcher.poke()
        await desk.clock.advance(1_000)
        assert not waiting.done()
        desk.file.stand(3, 7, 2, 11)
        desk.watcher.poke()
        await waiting

    asyncio.run(scenario())


def test_in_time_it_says_how_far_the_view_is(desk: Desk) -> None:
    desk.file.stand(3, 7, 1, 6)
    said = asyncio.run(desk.refused(token(), ViewBehind, 4_000))
    assert "it lacks shard 3 up to 10; in shard 3 it is at 6" in said


def test_the_deadline_of_the_caller_counts(desk: Desk) -> None:
    async def scenario() -> None:
        waiting = asyncio.create_task(desk.waits.until(token(), desk.clock.now_ms() + 100))
        await desk.clock.advance(100)
        with pytest.raises(ViewBehind):
            await waiting

    asyncio.run(scenario())


def test_heads_at_a_time_are_all_that_any_shard_has(desk: Desk) -> None:
    async def scenario() -> None:
        desk.places.newest = {5: Position(7, 1, 2), 6: Position(7, 1, 1)}
        desk.file.stand(5, 7, 1, 2)
        heads = tokens.encode(tokens.Token(1_000)).decode()
        waiting = asyncio.create_task(desk.waits.until(heads, 0))
        await desk.clock.advance(100)
        assert not waiting.done()
        desk.file.stand(6, 7, 1, 1)
        desk.watcher.poke()
        await waiting

    asyncio.run(scenario())


@pytest.mark.parametrize("after", ["garbage", "", "x" * 2_000])
def test_what_is_no_token_is_refused(desk: Desk, after: str) -> None:
    asyncio.run(desk.refused(after, InvalidPayload))


@pytest.mark.parametrize("after", [token(lineage=8), token(shard=16)])
def test_what_the_view_never_gets_to_is_told_at_once(desk: Desk, after: str) -> None:
    asyncio.run(desk.refused(after, TokenUnreachable))


def test_a_view_of_other_services_messages_gets_to_no_token(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "g2.sqlite", reachable=False)
    asyncio.run(desk.refused(token(), TokenUnreachable))
    desk.close()


def test_a_change_at_which_the_view_fails_is_told_at_once(desk: Desk) -> None:
    desk.file.stand(3, 7, 1, 10)
    desk.file.park(3, "c1", 10)
    desk.places.subjects[3, 10] = ("cart", "c1")
    said = asyncio.run(desk.refused(token(), SubjectParked))
    assert said == "the view 'tallies' fails on cart 'c1' (3 attempts): KeyError: 'x'"


def test_others_of_the_shard_go_on(desk: Desk) -> None:
    desk.file.stand(3, 7, 1, 10)
    desk.file.park(3, "c1", 8)
    desk.places.subjects[3, 10] = ("cart", "c2")
    asyncio.run(desk.waits.until(token(), 0))
    desk.places.subjects[3, 7] = ("cart", "c1")
    asyncio.run(desk.waits.until(token(offset=7), 0))  # before it failed


def test_whose_change_is_not_known_is_taken_for_the_one_that_fails(desk: Desk) -> None:
    desk.file.stand(3, 7, 1, 10)
    desk.file.park(3, "c1", 8)
    asyncio.run(desk.refused(token(), SubjectParked))
