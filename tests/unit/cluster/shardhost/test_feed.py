"""One feed: everything that lands gets to its target once, in order, whatever happens between."""

from __future__ import annotations

import asyncio
import logging

import msgspec
import pytest

from actorkalix.runtime.virtual import settle
from actorkalix_cluster.placement.sharding import shard_of
from actorkalix_cluster.shardhost.feed import Feed
from actorkalix_cluster.shardhost.limits import FeedLimits
from actorkalix_storage.api import Position
from tests.unit.cluster.shardhost.counter import COUNTER
from tests.unit.cluster.shardhost.rig import SHARDS, Rig, new_store, rig, run
from tests.unit.cluster.shardhost.target import CounterSource, Target

HERE = shard_of(COUNTER, "a", SHARDS)


def feed_of(r: Rig) -> Feed:
    """The feed of a host that has one."""
    assert r.host.feeds is not None
    return r.host.feeds.feeds["totals"]


def test_what_lands_goes_to_the_target_without_a_look_at_the_store() -> None:
    async def case() -> None:
        target = Target()
        async with rig(sources=[CounterSource()], target=target) as r:
            assert all(place[2] == 1 for place in target.places.values())
            assert len(target.places) == SHARDS
            reads = r.committer.reads
            for number in range(20):
                await r.add(number, f"e{number % 3}")
            await settle()
            assert [target.of(f"e{at}") for at in range(3)] == [
                list(range(at, 20, 3)) for at in range(3)
            ]
            assert feed_of(r).caught_up
            assert r.committer.reads - reads <= 6  # the entities' own, not one for each of ours

    run(case())


def test_the_incarnation_is_that_of_the_entitys_life() -> None:
    async def case() -> None:
        target = Target()
        async with rig(sources=[CounterSource()], target=target, keys_kept_ms=0) as r:
            await r.add(1, "a")
            await r.add(2, "a")
            await r.ask("delete", "", "a")
            await r.advance(8 * 86_400_000)
            await r.add(3, "a")
            await settle()
            mine = [one for one in target.entries if one.entity == "a"]
            assert [(one.kind, one.incarnation) for one in mine] == [
                *((1, 2), (1, 2), (4, 2), (5, 2)),
                (1, 6),
            ]
            assert [one.version for one in mine] == [1, 2, 3, 4, 1]

    run(case())


def test_entries_are_read_from_the_store_where_the_feed_is_behind() -> None:
    async def case() -> None:
        store = new_store()
        async with rig(store) as before:
            for number in range(300):
                await before.add(number, f"e{number % 7}")
        target = Target()
        limits = FeedLimits(page=8, page_bytes_max=400, batch_entries_max=30)
        async with rig(store.crash(), sources=[CounterSource()], target=target, feeds=limits) as r:
            await settle()
            assert len(target.entries) == 300
            assert [target.of(f"e{at}") for at in range(7)] == [
                list(range(at, 300, 7)) for at in range(7)
            ]
            assert max(len(one.ranges) for one in target.batches) <= SHARDS
            assert all(
                sum(len(part.entries) for part in one.ranges) <= 30 for one in target.batches
            )
            assert feed_of(r).caught_up

    run(case())


def test_an_answer_that_is_lost_changes_nothing() -> None:
    async def case() -> None:
        target = Target()
        async with rig(sources=[CounterSource()], target=target) as r:
            target.losing = 3
            for number in range(10):
                await r.add(number, "a")
                await r.advance(50)
            await r.advance(10_000)
            assert target.of("a") == list(range(10))
            assert target.dropped > 0
            assert feed_of(r).caught_up

    run(case())


def test_a_target_that_takes_nothing_gets_it_later() -> None:
    async def case() -> None:
        target = Target()
        async with rig(sources=[CounterSource()], target=target) as r:
            target.refusing = "the disk is full"
            for number in range(10):
                await r.add(number, "a")
            await r.advance(20_000)
            assert target.of("a") == []
            stats = feed_of(r).stats()
            assert (stats.failure, stats.waiting, stats.behind) == ("the disk is full", 10, 10)
            assert 5 < stats.refused < 20  # the waits grow
            assert not feed_of(r).busy
            target.refusing = ""
            await r.advance(6_000)
            assert target.of("a") == list(range(10))
            assert feed_of(r).stats().refused == 0

    run(case())


def test_a_target_that_starts_still_is_no_news_until_it_takes_long(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def said() -> list[str]:
        found = [one for one in caplog.records if one.levelno >= logging.WARNING]
        return [one.getMessage() for one in found]

    async def case(wait_ms: int, expected: list[str]) -> None:
        caplog.clear()
        target = Target()
        target.refusing = "it opens its file still"
        async with rig(sources=[CounterSource()], target=target) as r:
            await r.advance(wait_ms)
            target.refusing = ""
            await r.advance(6_000)
            assert feed_of(r).caught_up
            assert said() == expected
            target.refusing = "the disk is full"
            await r.add(1, "a")
            await settle()
            assert said() == [*expected, "totals waits: the disk is full"]
            target.refusing = ""
            await r.advance(6_000)
            assert said()[-1] == "totals goes on"

    target_starts = "totals waits: it opens its file still"
    run(case(2_000, []))
    run(case(60_000, [target_starts, "totals goes on"]))


def test_what_has_no_room_is_read_from_the_store_in_its_time() -> None:
    async def case() -> None:
        target = Target()
        target.gate = asyncio.Event()
        target.gate.set()
        async with rig(
            sources=[CounterSource()], target=target, feeds=FeedLimits(bytes_max=500)
        ) as r:
            target.gate.clear()
            for number in range(100):
                await r.add(number, "a")
            assert feed_of(r).stats().waiting < 20
            target.gate.set()
            await settle()
            assert target.of("a") == list(range(100))

    run(case())


def test_a_target_that_has_forgotten_everything_gets_everything() -> None:
    async def case() -> None:
        target = Target()
        async with rig(sources=[CounterSource()], target=target) as r:
            for number in range(10):
                await r.add(number, f"e{number}")
            await settle()
            target.places.clear()
            target.entries.clear()
            target.generation = "two"
            await r.add(10, "e0")
            await settle()
            assert sorted(int(one.payload) for one in target.entries) == list(range(11))
            assert len(target.places) == SHARDS

    run(case())


def test_a_target_that_was_started_again_is_asked_at_once() -> None:
    async def case() -> None:
        target = Target()
        async with rig(sources=[CounterSource()], target=target) as r:
            await r.add(1, "a")
            await settle()
            target.places.clear()
            target.entries.clear()
            feed_of(r).begin_again()
            await settle()
            assert target.of("a") == [1]

    run(case())


def test_another_history_is_forgotten_and_read_anew(caplog: pytest.LogCaptureFixture) -> None:
    async def case() -> None:
        target = Target()
        target.places[HERE] = (99, 1, 1_000)
        async with rig(sources=[CounterSource()], target=target) as r:
            await r.add(1, "a")
            await settle()
            assert target.of("a") == [1]
            assert target.places[HERE][0] == r.store.identity.lineage
            assert any(one.parted == ((HERE, (99, 1, 1_000)),) for one in target.batches)

    with caplog.at_level(logging.ERROR, logger="actorkalix.feed"):
        run(case())
    assert "another history" in caplog.text


def test_a_host_that_comes_back_goes_on_where_the_target_stands() -> None:
    async def case() -> None:
        target = Target()
        async with rig(sources=[CounterSource()], target=target) as r:
            for number in range(10):
                await r.add(number, "a")
            await settle()
            await r.crash()
            for number in range(10, 20):
                await r.add(number, "a")
            await settle()
            assert target.of("a") == list(range(20))
            assert target.dropped == 0

    run(case())


def test_what_nobody_wants_is_told_some_time_and_then_nothing_more() -> None:
    class Others(CounterSource):
        components = frozenset(("another",))

    async def case() -> None:
        target = Target()
        async with rig(sources=[Others()], target=target) as r:
            batches = len(target.batches)
            for number in range(10):
                await r.add(number, "a")
            await settle()
            assert len(target.batches) == batches
            await r.advance(250)
            assert len(target.batches) == batches + 1
            assert target.places[HERE][2] == 11
            await r.advance(3_600_000)
            assert len(target.batches) == batches + 1

    run(case())


def test_what_is_of_a_wanted_component_is_told_at_once_though_it_is_not_wanted() -> None:
    class Deaf(CounterSource):
        def wants(self, record: object, /) -> bool:
            return False

    async def case() -> None:
        target = Target()
        async with rig(sources=[Deaf()], target=target) as r:
            await r.add(1, "a")
            await settle()
            assert target.places[HERE][2] == 2
            assert feed_of(r).passed(HERE).offset == 2

    run(case())


def test_a_record_that_is_missing_is_read_from_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    async def case() -> None:
        target = Target()
        async with rig(sources=[CounterSource()], target=target) as r:
            feed = feed_of(r)

            def deaf(*_: object) -> None:
                """Hears nothing."""

            with monkeypatch.context() as patched:
                patched.setattr(feed, "landed", deaf)
                await r.add(1, "a")
            await r.add(2, "a")
            await settle()
            assert target.of("a") == [1, 2]

    run(case())


def test_nothing_is_passed_until_the_target_has_it() -> None:
    async def case() -> None:
        target = Target()
        target.gate = asyncio.Event()
        async with rig(sources=[CounterSource()], target=target) as r:
            feed = feed_of(r)
            assert feed.passed(HERE).offset == 0
            target.gate.set()
            await settle()
            assert feed.passed(HERE).offset == 1
            target.gate.clear()
            await r.add(1, "a")
            await settle()
            assert feed.passed(HERE).offset == 1
            assert feed.lags() == {HERE: 1}
            target.gate.set()
            await settle()
            assert feed.passed(HERE).offset == 2
            assert feed.lags() == {}

    run(case())


def test_a_shard_that_is_lost_is_let_go() -> None:
    async def case() -> None:
        target = Target()
        target.gate = asyncio.Event()
        target.gate.set()
        async with rig(sources=[CounterSource()], target=target) as r:
            target.gate.clear()
            await r.add(1, "a")
            await settle()
            feed = feed_of(r)
            feed.detach(HERE)
            target.gate.set()
            await settle()
            assert HERE not in feed.progress
            assert feed.stats().waiting == 0
            assert feed.caught_up

    run(case())


def test_a_host_that_drains_waits_for_the_batch_under_way() -> None:
    async def case() -> None:
        target = Target()
        target.gate = asyncio.Event()
        target.gate.set()
        async with rig(sources=[CounterSource()], target=target) as r:
            target.gate.clear()
            await r.add(1, "a")
            await settle()
            draining = asyncio.create_task(r.host.drain(5.0))
            await settle()
            assert not draining.done()
            target.gate.set()
            assert await draining
            assert target.of("a") == [1]
            batches = len(target.batches)
            await r.advance(60_000)
            assert len(target.batches) == batches

    run(case())


def test_two_hosts_that_both_feed_do_no_harm() -> None:
    """As when a host was taken for dead and lives: the target takes each record once."""

    async def case() -> None:
        target = Target()
        async with rig(sources=[CounterSource()], target=target) as r:
            for number in range(5):
                await r.add(number, "a")
            await settle()
            # Somebody else has told the target meanwhile what this feed is about to tell.
            target.gate = asyncio.Event()
            await r.add(5, "a")
            await r.add(6, "a")
            await settle()
            for batch in list(target.batches[-1:]):
                target.take(batch)
            target.gate.set()
            await r.advance(1_000)
            assert target.of("a") == list(range(7))
            assert feed_of(r).caught_up

    run(case())


def test_positions_are_those_of_the_log() -> None:
    async def case() -> None:
        target = Target()
        async with rig(sources=[CounterSource()], target=target) as r:
            await r.ask("add_each", "1 2 3", "a")
            await settle()
            newest = r.store.applied(HERE)
            assert target.places[HERE] == msgspec.structs.astuple(newest)
            assert newest == Position(7, 1, 4)

    run(case())
