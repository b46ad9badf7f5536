"""Pages for feeds: wanted records, as many as fit, and how far they go."""

from __future__ import annotations

import pytest

from actorkalix_cluster.placement.sharding import shard_of
from actorkalix_cluster.shardhost.feed_reading import next_page, read_again
from actorkalix_cluster.shardhost.feeding import Held
from actorkalix_cluster.shardhost.limits import FeedLimits
from actorkalix_storage.api import Position, StoredRecord
from tests.unit.cluster.shardhost.counter import COUNTER
from tests.unit.cluster.shardhost.rig import SHARDS, Rig, rig, run
from tests.unit.cluster.shardhost.target import CounterSource

HERE = shard_of(COUNTER, "a", SHARDS)
NOTHING = Position(0, 0, 0)


async def fill(r: Rig, count: int) -> None:
    for number in range(count):
        await r.add(number, "a")


def test_a_page_ends_at_its_records_or_at_its_bytes() -> None:
    async def case() -> None:
        async with rig() as r:
            await fill(r, 20)
            limits = FeedLimits(page=6)
            page = next_page(r.store, CounterSource(), HERE, NOTHING, True, limits)
            assert (page.whole, page.compared, page.parted) == (False, True, False)
            assert page.through.offset >= 7
            assert page.entries[0][1].offset == 2  # 1 is the epoch's
            small = FeedLimits(page=2, page_bytes_max=1)
            page = next_page(r.store, CounterSource(), HERE, NOTHING, False, small)
            assert page.through.offset == 2
            rest = next_page(r.store, CounterSource(), HERE, page.through, False, FeedLimits())
            assert rest.whole
            assert rest.through == r.store.applied(HERE)
            assert len(rest.entries) == 19

    run(case())


def test_large_records_are_read_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def case() -> None:
        async with rig() as r:
            await fill(r, 200)
            asked: list[int] = []
            records = r.store.records

            def noted(shard: int, after: int, *, limit: int = 100) -> list[StoredRecord]:
                asked.append(limit)
                return records(shard, after, limit=limit)

            monkeypatch.setattr(r.store, "records", noted)
            page = next_page(r.store, CounterSource(), HERE, NOTHING, False, FeedLimits())
            assert asked == [16, 32, 64, 128]
            assert len(page.entries) == 200
            asked.clear()
            small = FeedLimits(page_bytes_max=40)
            next_page(r.store, CounterSource(), HERE, NOTHING, False, small)
            assert asked == [16]
            asked.clear()

            def many(entry: object) -> int:
                return 1

            monkeypatch.setattr("actorkalix_cluster.shardhost.feed_reading.size_of", many)
            next_page(r.store, CounterSource(), HERE, NOTHING, False, FeedLimits(page_bytes_max=60))
            assert asked[:4] == [16, 8, 4, 8]

    run(case())


def test_what_nobody_wants_is_passed_over() -> None:
    class Others(CounterSource):
        components = frozenset(("another",))

    async def case() -> None:
        async with rig() as r:
            await fill(r, 20)
            page = next_page(r.store, Others(), HERE, NOTHING, False, FeedLimits(page=4))
            assert (page.whole, page.entries) == (True, [])
            assert page.through == r.store.applied(HERE)

    run(case())


def test_another_history_is_told_and_not_read() -> None:
    async def case() -> None:
        async with rig() as r:
            await fill(r, 3)
            foreign = Position(99, 1, 2)
            page = next_page(r.store, CounterSource(), HERE, foreign, True, FeedLimits())
            assert (page.parted, page.begin, page.entries) == (True, foreign, [])
            known = Position(7, 1, 2)
            page = next_page(r.store, CounterSource(), HERE, known, True, FeedLimits())
            assert not page.parted
            assert [one[1].offset for one in page.entries] == [3, 4]

    run(case())


def test_a_subjects_records_are_read_from_where_it_failed() -> None:
    async def case() -> None:
        async with rig() as r:
            await fill(r, 10)
            held = Held(HERE, COUNTER, "a", "t", "a", 4, 6, 1, 0, "it fails")
            again = read_again(r.store, CounterSource(), held, FeedLimits())
            assert [one.version for one in again.entries] == [5, 6, 7, 8, 9, 10]
            assert again.through == 11
            again = read_again(r.store, CounterSource(), held, FeedLimits(page=2))
            assert [one.version for one in again.entries] == [5, 6]
            assert again.through == again.entries[-1].offset
            again = read_again(r.store, CounterSource(), held, FeedLimits(batch_bytes_max=1))
            assert [one.version for one in again.entries] == [5]
            assert again.through == again.entries[-1].offset

    run(case())
