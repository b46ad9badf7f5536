"""All feeds of a host."""

from __future__ import annotations

from typing import Any

from actorkalix.runtime.virtual import settle
from actorkalix_cluster.placement.sharding import shard_of
from actorkalix_cluster.shardhost.feeds import Feeds
from tests.unit.cluster.shardhost.counter import COUNTER
from tests.unit.cluster.shardhost.rig import SHARDS, rig, run
from tests.unit.cluster.shardhost.target import CounterSource, Target

SOON: dict[str, Any] = {"keys_kept_ms": 0, "retention_ms": 1_000, "clean_every_ms": 1_000}
HERE = shard_of(COUNTER, "a", SHARDS)


class Second(CounterSource):
    feed = "second"


class Both:
    """A target of two feeds."""

    def __init__(self) -> None:
        self.of = {"totals": Target(), "second": Target()}

    async def apply(self, feed: str, batch: bytes, /) -> bytes:
        return await self.of[feed].apply(feed, batch)


def test_each_feed_has_a_pace_of_its_own() -> None:
    async def case() -> None:
        both = Both()
        async with rig(sources=[CounterSource(), Second()], target=both) as r:
            feeds = r.host.feeds
            assert isinstance(feeds, Feeds)
            both.of["second"].refusing = "the disk is full"
            await r.add(1, "a")
            await settle()
            assert both.of["totals"].of("a") == [1]
            assert both.of["second"].of("a") == []
            passed = feeds.passed(HERE)
            assert (passed["view totals"].offset, passed["view second"].offset) == (2, 1)
            assert [one.caught_up for one in feeds.feeds.values()] == [True, False]
            both.of["second"].refusing = ""
            feeds.begin_again("second")
            await settle()
            assert both.of["second"].of("a") == [1]
            assert feeds.caught_up
            assert [one.feed for one in r.host.stats().feeds] == ["totals", "second"]

    run(case())


def test_nothing_is_cleaned_that_a_view_has_not_seen() -> None:
    async def case() -> None:
        target = Target()
        async with rig(sources=[CounterSource()], target=target, **SOON) as r:
            target.refusing = "the disk is full"
            await r.add(1, "a")
            await r.ask("delete", "", "a")
            await r.advance(60_000)
            assert r.store.head(HERE, COUNTER, "a") is not None
            target.refusing = ""
            await r.advance(10_000)
            assert r.store.head(HERE, COUNTER, "a") is None
            assert [one.kind for one in target.entries] == [1, 4, 5]

    run(case())


def test_a_host_whose_views_are_not_there_yet_cleans_nothing() -> None:
    async def case() -> None:
        async with rig(sources=[CounterSource()], **SOON) as r:
            await r.add(1, "a")
            await r.ask("delete", "", "a")
            await r.advance(60_000)
            assert r.store.head(HERE, COUNTER, "a") is not None

    run(case())


def test_a_host_without_feeds_has_none() -> None:
    async def case() -> None:
        async with rig() as r:
            assert r.host.feeds is None
            assert r.host.stats().feeds == ()

    run(case())
