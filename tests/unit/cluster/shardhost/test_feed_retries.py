"""What the target holds back is tried again, in its time, with all that came meanwhile."""

from __future__ import annotations

import pytest

from actorkalix.runtime.virtual import settle
from actorkalix_cluster.placement.sharding import shard_of
from actorkalix_storage.api import Damaged
from tests.unit.cluster.shardhost.counter import COUNTER
from tests.unit.cluster.shardhost.rig import SHARDS, rig, run
from tests.unit.cluster.shardhost.target import CounterSource, Target
from tests.unit.cluster.shardhost.test_feed import feed_of

HERE = shard_of(COUNTER, "a", SHARDS)


def test_a_subject_waits_and_the_others_go_on() -> None:
    async def case() -> None:
        target = Target()
        target.failing = {"a"}
        async with rig(sources=[CounterSource()], target=target) as r:
            for number in range(6):
                await r.add(number, "ab"[number % 2])
            await settle()
            assert (target.of("a"), target.of("b")) == ([], [1, 3, 5])
            assert feed_of(r).stats().held == 1
            assert not feed_of(r).caught_up
            assert feed_of(r).passed(HERE).offset == target.held["a"].offset - 1
            target.failing.clear()
            await r.advance(2_999)
            assert target.of("a") == []
            await r.advance(1_000)
            assert target.of("a") == [0, 2, 4]
            assert feed_of(r).caught_up
            assert feed_of(r).passed(HERE).offset == r.store.applied(HERE).offset

    run(case())


def test_waits_grow_from_three_seconds_to_thirty() -> None:
    async def case() -> None:
        target = Target()
        target.failing = {"a"}
        async with rig(sources=[CounterSource()], target=target) as r:
            await r.add(1, "a")
            await r.advance(300_000)
            tries = sum(len(one.again) for one in target.batches)
            assert 8 <= tries <= 14  # 3, 6, 12, 24, 30, 30 … seconds and up to a fifth more
            assert target.held["a"].attempts == tries + 1

    run(case())


def test_an_operator_can_have_it_tried_now() -> None:
    async def case() -> None:
        target = Target()
        target.failing = {"a"}
        async with rig(sources=[CounterSource()], target=target) as r:
            await r.add(1, "a")
            await settle()
            target.failing.clear()
            assert feed_of(r).retry("other") == 0
            assert feed_of(r).retry("a") == 1
            await r.advance(0)
            assert target.of("a") == [1]

    run(case())


def test_a_host_that_comes_back_hears_who_waits() -> None:
    async def case() -> None:
        target = Target()
        target.failing = {"a"}
        async with rig(sources=[CounterSource()], target=target) as r:
            await r.add(1, "a")
            await settle()
            await r.crash()
            assert feed_of(r).stats().held == 1
            target.failing.clear()
            await r.advance(4_000)
            assert target.of("a") == [1]

    run(case())


def test_what_was_read_and_not_taken_is_read_again() -> None:
    async def case() -> None:
        target = Target()
        target.failing = {"a"}
        async with rig(sources=[CounterSource()], target=target) as r:
            await r.add(1, "a")
            await settle()
            target.failing.clear()
            target.refusing = "the disk is full"
            await r.advance(4_000)
            target.refusing = ""
            await r.advance(60_000)
            assert target.of("a") == [1]

    run(case())


def test_records_that_cannot_be_read_are_read_later(monkeypatch: pytest.MonkeyPatch) -> None:
    async def case() -> None:
        target = Target()
        target.failing = {"a"}
        async with rig(sources=[CounterSource()], target=target) as r:
            await r.add(1, "a")
            await settle()
            target.failing.clear()

            def broken(*_: object, **__: object) -> list[object]:
                raise Damaged("a record is damaged")

            with monkeypatch.context() as patched:
                patched.setattr(r.store, "history", broken)
                await r.advance(4_000)
            assert target.of("a") == []
            await r.advance(40_000)
            assert target.of("a") == [1]

    run(case())


def test_what_waits_in_a_shard_that_is_lost_is_forgotten() -> None:
    async def case() -> None:
        target = Target()
        target.failing = {"a"}
        async with rig(sources=[CounterSource()], target=target) as r:
            await r.add(1, "a")
            await settle()
            feed_of(r).detach(HERE)
            assert feed_of(r).stats().held == 0
            await r.advance(60_000)
            assert sum(len(one.again) for one in target.batches) == 0

    run(case())
