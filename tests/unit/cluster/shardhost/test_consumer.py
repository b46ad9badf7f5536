"""Consumers get what landed, in order per subject; what fails waits alone."""

from __future__ import annotations

import asyncio

import pytest

from actorkalix.runtime.virtual import settle
from actorkalix_cluster.placement import shard_of
from actorkalix_cluster.shardhost.limits import ConsumerLimits
from actorkalix_storage.api import Position, StoreIdentity
from actorkalix_storage.memorystore import MemoryStore
from tests.unit.cluster.shardhost.counter import COUNTER
from tests.unit.cluster.shardhost.reader import Reader
from tests.unit.cluster.shardhost.rig import LINEAGE, SHARDS, rig, run


def test_what_lands_is_handled_in_order() -> None:
    async def case() -> None:
        reader = Reader()
        async with rig(subscribers=[reader]) as r:
            for number in range(1, 6):
                await r.add(number, "a")
                await r.add(10 * number, "b")
            await settle()
            assert reader.of("a") == ["1", "2", "3", "4", "5"]
            assert reader.of("b") == ["10", "20", "30", "40", "50"]

    run(case())


def test_what_was_there_before_is_read_first() -> None:
    async def case() -> None:
        async with rig() as r:
            for number in range(1, 700):
                await r.add(number, f"e{number % 7}")
            store = r.store
            reader = Reader()
            async with rig(store, subscribers=[reader]) as again:
                await again.advance(10)
                assert len(reader.seen) == 699
                for at in range(7):
                    wanted = [str(number) for number in range(1, 700) if number % 7 == at]
                    assert reader.of(f"e{at}") == wanted

    run(case())


def test_a_consumer_may_begin_with_what_comes() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1, "a")
            reader = Reader(from_now=True)
            async with rig(r.store, subscribers=[reader]) as again:
                await settle()
                await again.add(2, "a")
                await again.advance(2_000)
                await again.crash()
                await again.add(3, "a")
                await settle()
                assert reader.of("a") == ["2", "3"]

    run(case())


def test_after_a_crash_it_goes_on_at_its_cursor() -> None:
    async def case() -> None:
        reader = Reader()
        async with rig(subscribers=[reader]) as r:
            await r.add(1, "a")
            await r.advance(1_500)  # the cursor is written
            await r.add(2, "a")
            await settle()
            await r.crash()  # before the second one's cursor is
            await r.advance(10)
            assert reader.of("a") == ["1", "2", "2"]

    run(case())


def test_a_drained_host_repeats_nothing() -> None:
    async def case() -> None:
        reader = Reader()
        async with rig(subscribers=[reader]) as r:
            await r.add(1, "a")
            await settle()
            assert await r.host.drain(1.0)
            await r.crash()
            await r.add(2, "a")
            await settle()
            assert reader.of("a") == ["1", "2"]

    run(case())


def test_a_subject_that_fails_waits_and_the_others_go_on() -> None:
    async def case() -> None:
        reader = Reader()
        reader.failing = {"a 2"}
        async with rig(subscribers=[reader]) as r:
            for number in range(1, 5):
                await r.add(number, "a")
                await r.add(number, "b")
            await settle()
            assert reader.of("a") == ["1"]
            assert reader.of("b") == ["1", "2", "3", "4"]
            await r.advance(3_600)
            await r.add(5, "a")
            assert reader.of("a") == ["1"]
            reader.failing = set()
            await r.advance(40_000)
            assert reader.of("a") == ["1", "2", "3", "4", "5"]
            await r.add(6, "a")
            await settle()
            assert reader.of("a")[-1] == "6"

    run(case())


def test_what_waits_is_known_after_a_crash() -> None:
    async def case() -> None:
        reader = Reader()
        reader.failing = {"a"}
        async with rig(subscribers=[reader]) as r:
            await r.add(1, "a")
            await r.add(1, "b")
            await r.advance(1_500)
            await r.crash()
            await r.add(2, "a")
            await r.advance(1_500)
            assert reader.seen == [("b", "1")]
            reader.failing = set()
            await r.advance(40_000)
            assert reader.seen == [("b", "1"), ("a", "1"), ("a", "2")]

    run(case())


def test_a_blocking_consumer_stops_at_what_it_fails_on() -> None:
    async def case() -> None:
        reader = Reader(blocks=True)
        reader.failing = {"a 1"}
        async with rig(subscribers=[reader]) as r:
            await r.add(1, "a")
            await settle()
            await r.add(1, "b")
            await r.add(2, "a")
            await r.advance(20_000)
            assert reader.seen == []
            reader.failing = set()
            await r.advance(40_000)
            assert reader.of("a") == ["1", "2"]
            assert reader.of("b") == ["1"]

    run(case())


def test_when_all_fail_the_consumer_waits_as_a_whole() -> None:
    async def case() -> None:
        reader = Reader()
        names = [f"e{at}" for at in range(30)]
        reader.failing = set(names)
        async with rig(subscribers=[reader]) as r:
            for name in names:
                await r.add(1, name)
            await r.advance(100)
            assert reader.seen == []
            reader.failing = set()
            await r.advance(40_000)
            assert sorted(reader.seen) == sorted((name, "1") for name in names)

    run(case())


def test_batches_are_taken_apart_when_they_fail() -> None:
    async def case() -> None:
        reader = Reader(batch_max=50)
        reader.gate = asyncio.Event()
        async with rig(subscribers=[reader]) as r:
            await r.add(0, "first")  # holds nothing up: others gather in their own batch
            for number in range(1, 5):
                for name in ("a", "b", "c"):
                    await r.add(number, name)
            reader.failing = {"b 3"}
            reader.gate.set()
            await settle()
            assert reader.of("a") == reader.of("c") == ["1", "2", "3", "4"]
            assert reader.of("b") == ["1", "2"]
            reader.failing = set()
            await r.advance(10_000)
            assert reader.of("b") == ["1", "2", "3", "4"]

    run(case())


def test_a_batch_holds_entries_of_several_subjects() -> None:
    async def case() -> None:
        async with rig() as r:
            for number in range(100):
                await r.add(number, f"e{number % 10}")
            reader = Reader(batch_max=40)
            async with rig(r.store, subscribers=[reader]) as again:
                await again.advance(10)
                assert sum(reader.sizes) == 100
                assert max(reader.sizes) <= 40
                for at in range(10):
                    assert reader.of(f"e{at}") == [str(n) for n in range(100) if n % 10 == at]

    run(case())


@pytest.mark.parametrize("slow", [False, True])
def test_what_does_not_fit_is_read_again_later(slow: bool) -> None:
    async def case() -> None:
        reader = Reader()
        reader.gate = asyncio.Event()
        few = ConsumerLimits(entries_max=20, page=5)
        async with rig(subscribers=[reader], consumers=few) as r:
            if not slow:
                reader.gate.set()
            for number in range(200):
                await r.add(number, f"e{number % 3}")
            reader.gate.set()
            await r.advance(10)
            for at in range(3):
                assert reader.of(f"e{at}") == [str(n) for n in range(200) if n % 3 == at]

    run(case())


def test_an_entity_is_cleaned_when_its_consumers_have_passed() -> None:
    async def case() -> None:
        reader = Reader()
        reader.failing = {"a"}
        hour = 3_600_000
        async with rig(
            subscribers=[reader], retention_ms=hour, clean_every_ms=hour, keys_kept_ms=hour
        ) as r:
            await r.add(1, "a")
            await r.ask("delete", "", "a")
            await r.add(1, "b")
            await r.ask("delete", "", "b")
            await r.advance(3 * hour)
            assert await r.query("b") == 0
            assert await r.query("a") == 1  # still there: it waits for its consumer
            reader.failing = set()
            await r.advance(3 * hour)
            assert reader.of("a") == ["1"]
            assert await r.query("a") == 0

    run(case())


def test_when_all_that_waits_is_parked_one_of_it_is_tried() -> None:
    async def case() -> None:
        reader = Reader()
        names = [f"e{at}" for at in range(12)]
        reader.failing = set(names)
        async with rig(subscribers=[reader]) as r:
            for name in names:
                await r.add(1, name)
                await r.add(1, "fine")  # so that the consumer does not wait as a whole at once
                await settle()
            await r.advance(100_000)
            reader.failing = set()
            await r.advance(120_000)
            assert sorted(reader.seen[12:]) == sorted((name, "1") for name in names)

    run(case())


def test_when_too_many_are_parked_the_consumer_waits_as_a_whole() -> None:
    async def case() -> None:
        reader = Reader()
        names = [f"e{at}" for at in range(100) if shard_of(COUNTER, f"e{at}", SHARDS) == 0][:3]
        reader.failing = set(names[:2])
        limits = ConsumerLimits(parked_max=1)
        async with rig(subscribers=[reader], consumers=limits) as r:
            for name in names:
                await r.add(1, name)
                await r.advance(100)
            assert reader.seen == []
            assert reader.tried < 5, "it is not tried again at once"
            reader.failing = set()
            await r.advance(40_000)
            assert sorted(reader.seen) == [(name, "1") for name in names]

    run(case())


class Racing(MemoryStore):
    """Another thread writes between two looks at a shard: the first says less."""

    said: dict[int, Position]

    def applied(self, shard: int) -> Position:
        return self.said.pop(shard, None) or super().applied(shard)


def test_what_lands_while_a_page_is_read_is_handled_once() -> None:
    async def case() -> None:
        store = Racing(StoreIdentity("0" * 32, "test", 0, SHARDS, LINEAGE))
        store.said = {}
        async with rig(store) as r:
            await r.add(1, "a")
            shard = shard_of(COUNTER, "a", SHARDS)
            before = store.applied(shard)
            await r.add(2, "a")
            store.said[shard] = before
            reader = Reader()
            async with rig(store, subscribers=[reader]) as again:
                await again.advance(10)
                assert reader.of("a") == ["1", "2"]
                assert again.host.caught_up is False, "the cursor is still to be written"
                await again.advance(2_000)
                assert again.host.caught_up

    run(case())


def test_who_blocks_takes_one_at_a_time_and_waits_between_tries() -> None:
    async def case() -> None:
        async with rig() as r:
            for number in range(1, 4):
                for name in ("a", "b", "c"):
                    await r.add(number, name)
            reader = Reader(blocks=True)
            reader.failing = {"b 2"}
            async with rig(r.store, subscribers=[reader]) as again:
                await again.advance(60_000)
                tries = reader.tries
                assert "2" not in reader.of("b")
                assert len(reader.seen) + 1 < 9
                await again.advance(30_000)
                assert reader.tries - tries <= 2
                reader.failing = set()
                await again.advance(40_000)
                assert len(reader.seen) == 9

    run(case())


def test_a_list_that_fails_while_all_fail_is_not_tried_through() -> None:
    async def case() -> None:
        async with rig() as r:
            for number in range(100):
                await r.add(1, f"e{number}")
            reader = Reader(batch_max=100)
            reader.failing = {f"e{number}" for number in range(100)}
            async with rig(r.store, subscribers=[reader]) as again:
                await again.advance(100)
                assert reader.tries < 30
                reader.failing = set()
                await again.advance(60_000)
                assert len(reader.seen) == 100

    run(case())
