"""What a consumer fails on is tried again in its time, or now; and given up where it may be."""

from __future__ import annotations

import pytest

from actorkalix.runtime.virtual import settle
from actorkalix_cluster.shardhost.consumers import Consumers
from actorkalix_cluster.shardhost.dead_letters import (
    DEAD_LETTERS,
    DeadLetter,
    get_query,
    unpack_letter,
)
from actorkalix_cluster.shardhost.limits import ConsumerLimits
from actorkalix_cluster.shardhost.observer import ConsumerStats
from actorkalix_storage.api import StoredRecord, StoreError
from tests.unit.cluster.shardhost.reader import Reader
from tests.unit.cluster.shardhost.rig import Rig, rig, run

FEW = ConsumerLimits(pause_after=2)
LONG_MS = 600_000


def consumers(r: Rig) -> Consumers:
    assert r.host.consumers is not None
    return r.host.consumers


def stats(r: Rig) -> ConsumerStats:
    (found,) = r.host.stats().consumers
    return found


async def letters(r: Rig) -> list[DeadLetter]:
    """All dead letters there are."""
    found: list[DeadLetter] = []
    for _, letter in r.store.subjects(DEAD_LETTERS, limit=100):
        reply = await r.host.ask(get_query(letter))
        found += [unpack_letter(reply.payload)] if reply.payload else []
    return found


def test_what_is_parked_is_tried_at_once_when_that_is_asked() -> None:
    async def case() -> None:
        reader = Reader()
        reader.failing = {"a", "b"}
        async with rig(subscribers=[reader]) as r:
            await r.add(1, "a")
            await r.add(1, "b")
            await settle()
            assert sorted(one.entity for _, one in consumers(r).parked("reader")) == ["a", "b"]
            assert consumers(r).parked("nobody") == []
            reader.failing = set()
            assert consumers(r).retry("nobody") == 0
            assert consumers(r).retry("reader", "a") == 1
            await settle()
            assert reader.seen == [("a", "1")]
            assert consumers(r).retry("reader") == 1
            await settle()
            assert reader.seen == [("a", "1"), ("b", "1")]

    run(case())


def test_a_try_that_was_asked_for_moves_the_next_one() -> None:
    async def case() -> None:
        reader = Reader()
        reader.failing = {"a"}
        async with rig(subscribers=[reader]) as r:
            await r.add(1, "a")
            await r.advance(2_900)
            consumers(r).retry("reader")
            await settle()
            assert stats(r).failures == 2
            await r.advance(1_000)  # the time that was set before has passed
            assert stats(r).failures == 2
            await r.advance(8_000)
            assert stats(r).failures == 3

    run(case())


def test_subjects_that_were_parked_one_by_one_end_a_wait_as_a_whole() -> None:
    """When they fail together later and nothing else comes, they alone can tell that it is over."""

    async def case() -> None:
        reader = Reader()
        reader.failing = {"a", "b"}
        async with rig(subscribers=[reader], consumers=FEW) as r:
            await r.add(1, "a")
            await r.add(1, "c")
            await r.add(1, "b")
            await r.advance(20_000)
            assert stats(r).paused_until_ms > 0
            reader.failing = set()
            await r.advance(LONG_MS)
            assert sorted(reader.seen) == [("a", "1"), ("b", "1"), ("c", "1")]
            assert stats(r).paused_until_ms == 0

    run(case())


def test_in_a_wait_as_a_whole_one_after_the_other_is_tried() -> None:
    async def case() -> None:
        reader = Reader()
        reader.failing = {"a", "b"}
        one_by_one = ConsumerLimits(pause_after=2, runs_max=1)
        async with rig(subscribers=[reader], consumers=one_by_one) as r:
            for name in ("a", "b", "c", "d"):
                await r.add(1, name)
            await r.advance(60_000)
            assert reader.seen == [("c", "1"), ("d", "1")]

    run(case())


def test_with_too_many_parked_it_waits_as_a_whole() -> None:
    async def case() -> None:
        reader = Reader()
        names = [f"e{at}" for at in range(40)]
        reader.failing = set(names)
        few = ConsumerLimits(parked_max=1, pause_after=100)
        async with rig(subscribers=[reader], consumers=few) as r:
            for name in names:
                await r.add(1, name)
            await r.clock.advance(LONG_MS)
            seen = stats(r)
            assert seen.paused_until_ms > 0
            assert seen.failures < 100  # it is not tried without a pause
            reader.failing = set()
            await r.advance(LONG_MS)
            assert sorted(reader.seen) == sorted((name, "1") for name in names)

    run(case())


def test_a_wait_as_a_whole_is_ended_by_hand() -> None:
    async def case() -> None:
        reader = Reader(blocks=True)
        reader.failing = {"a"}
        async with rig(subscribers=[reader]) as r:
            await r.add(1, "a")
            await r.advance(1_000)
            assert stats(r).paused_until_ms > r.clock.now_ms()
            reader.failing = set()
            assert consumers(r).retry("reader") == 0
            await settle()
            assert reader.seen == [("a", "1")]

    run(case())


def test_without_dead_letters_it_is_tried_without_end() -> None:
    async def case() -> None:
        reader = Reader()
        reader.failing = {"a"}
        async with rig(subscribers=[reader]) as r:
            await r.add(1, "a")
            await r.advance(2 * LONG_MS)
            ((_, parked),) = consumers(r).parked("reader")
            assert parked.attempts > 20
            assert await letters(r) == []

    run(case())


def test_what_fails_for_long_is_put_away_and_its_subject_goes_on() -> None:
    async def case() -> None:
        reader = Reader(dead_letters=True)
        reader.failing = {"a 2"}
        async with rig(subscribers=[reader]) as r:
            for number in (1, 2, 3):
                await r.add(number, "a")
            await r.advance(60_000)
            assert reader.of("a") == ["1"]
            assert await letters(r) == []
            await r.advance(LONG_MS)
            assert reader.of("a") == ["1", "3"]
            (letter,) = await letters(r)
            assert (letter.consumer, letter.entity, letter.payload) == ("reader", "a", b"2")
            assert (letter.attempts, letter.failure) == (10, "ValueError: cannot handle 2 of a")
            assert letter.since_ms < letter.failed_ms
            assert letter.id == f"{letter.shard}:reader/{letter.offset}"
            assert consumers(r).parked("reader") == []
            assert (stats(r).dead, stats(r).handled, stats(r).failures) == (1, 2, 10)
            await r.add(4, "a")
            await r.advance(2_000)
            await r.crash()
            await r.advance(LONG_MS)
            assert reader.of("a") == ["1", "3", "4"]
            assert await letters(r) == [letter]

    run(case())


def test_a_dead_letter_is_there_before_the_cursor_passes_its_entry() -> None:
    async def case() -> None:
        reader = Reader(dead_letters=True)
        reader.failing = {"a"}
        async with rig(subscribers=[reader]) as r:
            await r.add(1, "a")
            await r.advance(100_000)
            r.committer.hold_commits = True
            await r.clock.advance(LONG_MS)
            assert stats(r).dead == 0
            await r.crash()  # the letter was not durable
            reader.failing = set()
            await r.advance(LONG_MS)
            assert reader.seen == [("a", "1")]
            assert await letters(r) == []

    run(case())


def test_attempts_do_not_count_while_all_fail() -> None:
    async def case() -> None:
        reader = Reader(dead_letters=True)
        reader.failing = {"a", "b"}
        async with rig(subscribers=[reader], consumers=FEW) as r:
            await r.add(1, "a")
            await r.add(1, "b")
            await r.advance(3 * LONG_MS)
            assert await letters(r) == []
            reader.failing = set()
            await r.advance(LONG_MS)
            assert sorted(reader.seen) == [("a", "1"), ("b", "1")]

    run(case())


def test_what_cannot_be_read_waits_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **more: object) -> list[StoredRecord]:
        raise StoreError("a page is damaged")

    async def case() -> None:
        reader = Reader()
        reader.failing = {"a"}
        async with rig(subscribers=[reader]) as r:
            await r.add(1, "a")
            await settle()
            reader.failing = set()
            with monkeypatch.context() as broken:
                broken.setattr(r.store, "history", fails)
                await r.advance(60_000)
            assert reader.seen == []
            await r.advance(60_000)
            assert reader.seen == [("a", "1")]

    run(case())


def test_what_waits_in_memory_and_behind_is_counted() -> None:
    async def case() -> None:
        reader = Reader()
        async with rig(subscribers=[reader]) as r:
            await r.add(1, "a")
            await settle()
            seen = stats(r)
            assert (seen.consumer, seen.shards, seen.behind, seen.handled) == ("reader", 16, 0, 1)
            reader.failing = {"a"}
            await r.add(2, "a")
            await settle()
            seen = stats(r)
            assert (seen.parked, seen.waiting, seen.failures) == (1, 0, 1)
            assert seen.failure == "ValueError: cannot handle 2 of a"
            assert seen.failed_ms == r.clock.now_ms()

    run(case())
