"""All consumers of a host: their cursors are written together, behind the work."""

from __future__ import annotations

from actorkalix.runtime.virtual import settle
from actorkalix_cluster.placement.sharding import pinned_id, shard_of
from actorkalix_cluster.shardhost.cursors import CURSORS, Cursor, move_order, unpack_cursors
from actorkalix_cluster.shardhost.limits import ConsumerLimits
from actorkalix_storage.api import StoreFull
from tests.unit.cluster.shardhost.counter import COUNTER
from tests.unit.cluster.shardhost.reader import Reader
from tests.unit.cluster.shardhost.rig import SHARDS, Rig, rig, run

HERE = shard_of(COUNTER, "a", SHARDS)


def cursors(r: Rig, shard: int = HERE) -> dict[str, Cursor]:
    """What the store has of a shard's cursors."""
    history = r.store.load(shard, CURSORS, pinned_id(shard))
    return unpack_cursors(history.records[-1].record.payload) if history else {}


def test_cursors_are_written_once_a_second_and_together() -> None:
    async def case() -> None:
        readers = [Reader("one"), Reader("two")]
        async with rig(subscribers=readers) as r:
            for number in range(20):
                await r.add(number, "a")
            await settle()
            assert cursors(r) == {}
            await r.advance(1_000)
            assert {name: one.offset for name, one in cursors(r).items()} == {"one": 21, "two": 21}
            history = r.store.load(HERE, CURSORS, pinned_id(HERE))
            assert history is not None
            assert history.head.version == 1
            await r.advance(60_000)
            assert r.store.durable(HERE).offset == 22  # their own records move no cursor

    run(case())


def test_a_cursor_that_could_not_be_written_is_written_later() -> None:
    async def case() -> None:
        reader = Reader()
        async with rig(subscribers=[reader]) as r:
            await r.add(1, "a")
            await settle()
            r.store.fail_next_commit(StoreFull("full"))
            await r.advance(1_000)
            assert cursors(r) == {}
            await r.advance(2_000)
            assert cursors(r)["reader"].offset == 2

    run(case())


def test_what_is_for_others_is_not_read_for_ever() -> None:
    class Deaf(Reader):
        def wants(self, record: object, /) -> bool:
            return False

    async def case() -> None:
        async with rig(subscribers=[Deaf()], consumers=ConsumerLimits(skipped_max=50)) as r:
            for number in range(60):
                await r.add(number, "a")
            await r.advance(1_000)
            assert cursors(r)["reader"].offset > 50

    run(case())


def test_a_cursor_of_another_history_is_rewound() -> None:
    async def case() -> None:
        reader = Reader()
        async with rig(subscribers=[reader]) as r:
            await r.add(1, "a")
            await settle()
            foreign = Cursor("reader", 99, 1, 1_000)
            await r.host.ask(move_order(pinned_id(HERE), [foreign]))
            await r.crash()
            await r.advance(10)
            assert reader.of("a") == ["1", "1"]

    run(case())


def test_a_host_without_consumers_knows_of_no_cursor() -> None:
    async def case() -> None:
        async with rig() as r:
            reply = await r.host.ask(move_order(pinned_id(HERE), []))
            assert reply.failure is not None
            assert reply.failure.number == "AK2003"

    run(case())


def test_what_is_under_way_ends_before_the_host_does() -> None:
    async def case() -> None:
        reader = Reader()
        async with rig(subscribers=[reader]) as r:
            await r.add(1, "a")
            assert await r.host.drain(5.0)
            assert reader.of("a") == ["1"]
            assert cursors(r)["reader"].offset == 2

    run(case())
