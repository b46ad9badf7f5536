"""A shard's time never goes back, also when the clock of its host does (architecture 21)."""

from __future__ import annotations

from actorkalix_cluster.placement import shard_of
from actorkalix_cluster.shardhost.messages import MessageKind
from tests.unit.cluster.shardhost.counter import COUNTER
from tests.unit.cluster.shardhost.rig import SHARDS, Rig, number_of, rig, run

HOUR_MS = 3_600_000
SHARD = shard_of(COUNTER, "a", SHARDS)


def set_clock(r: Rig, by_ms: int) -> None:
    """Somebody sets the machine's clock; calls that are to come keep their distance."""
    clock = r.clock
    clock._now_ms += by_ms
    clock._calls = [(at_ms + by_ms, number, handle) for at_ms, number, handle in clock._calls]


def times(r: Rig) -> list[int]:
    """Of all records of the shard, in their order."""
    return [stored.record.time_ms for stored in r.store.records(SHARD, 0)]


def test_records_of_all_kinds_keep_their_order_in_time() -> None:
    async def case() -> None:
        async with rig(retention_ms=1_000, keys_kept_ms=1_000) as r:
            await r.clock.advance(1_000)
            newest = r.clock.now_ms()
            await r.add(1)
            set_clock(r, -5 * HOUR_MS)
            await r.add(1)
            await r.ask("delete")
            await r.crash()  # an epoch is raised at a time before the last record's
            assert times(r) == [newest - 1_000, *[newest] * 4]
            await r.clock.advance(6 * HOUR_MS)  # it is cleaned, and others are written
            await r.add(1)
            assert times(r) == sorted(times(r))
            assert times(r)[-1] > newest

    run(case())


def test_handlers_see_the_shards_time() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.ask("lend", 10_000)
            due_ms = r.clock.now_ms() + 10_000
            await r.clock.advance(9_999)
            await r.add(0, "b")  # another shard's time is its own
            await r.ask("lend", 10_000)  # at 9,999: that is the shard's time now
            set_clock(r, -HOUR_MS)
            await r.crash()
            await r.ask("lend", 5_000)
            head = r.store.load(SHARD, COUNTER, "a")
            assert head is not None
            assert head.head.expires_ms == due_ms - 1 + 5_000

    run(case())


def test_es_54_nothing_expires_early_and_all_does_when_the_clock_is_there() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.ask("lend", 5_000)
            set_clock(r, -3 * HOUR_MS)
            await r.clock.advance(3 * HOUR_MS + 4_999)
            assert (await r.ask("tell", kind=MessageKind.QUERY)).failure is None
            assert len(r.store.history(SHARD, COUNTER, "a")) == 1
            await r.clock.advance(1)
            assert len(r.store.history(SHARD, COUNTER, "a")) == 2
            assert number_of(await r.ask("add", 1)) == "AK2009"

    run(case())


def test_a_clock_that_is_set_right_again_is_noticed() -> None:
    async def case() -> None:
        async with rig() as r:
            set_clock(r, -3 * HOUR_MS)
            await r.ask("lend", 5_000)  # due in three hours and five seconds, by the host's clock
            await r.clock.advance(1)
            set_clock(r, 3 * HOUR_MS)
            await r.clock.advance(r.limits.look_ahead_ms)
            assert len(r.store.history(SHARD, COUNTER, "a")) == 2

    run(case())


def test_keys_count_by_the_shards_time() -> None:
    async def case() -> None:
        async with rig(keys_kept_ms=10_000) as r:
            await r.add(5, key="k")
            set_clock(r, -HOUR_MS)
            assert await r.add(5, key="k") == 5
            await r.clock.advance(HOUR_MS + 9_999)
            assert await r.add(5, key="k") == 5
            await r.clock.advance(1)
            assert await r.add(5, key="k") == 10

    run(case())


def test_idle_actors_leave_memory_although_the_clock_was_set_back() -> None:
    async def case() -> None:
        async with rig() as r:
            for n in range(50):
                await r.add(1, f"e{n}")
            set_clock(r, -5 * HOUR_MS)
            await r.clock.advance(2 * r.limits.passivate_after_ms)
            assert r.host.stats().live == {}

    run(case())
