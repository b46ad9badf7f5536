"""The life of a host, and what it says when it cannot take a message."""

from __future__ import annotations

import asyncio

import pytest

from actorkalix.runtime.virtual import settle
from actorkalix_cluster.placement import shard_of
from actorkalix_cluster.shardhost.clock import RealClock
from actorkalix_cluster.shardhost.committer import ThreadCommitter
from actorkalix_cluster.shardhost.host import ShardHost
from actorkalix_cluster.shardhost.limits import HostLimits
from actorkalix_cluster.shardhost.messages import Message, MessageKind
from actorkalix_storage.memorystore import MemoryStore
from tests.unit.cluster.shardhost.counter import COUNTER, CounterBehavior
from tests.unit.cluster.shardhost.rig import SHARDS, Rig, new_store, number_of, rig, run, total_of

pytestmark = pytest.mark.usefixtures("hosting")


def test_it_opens_all_shards_with_new_epochs() -> None:
    async def case() -> None:
        async with rig() as r:
            assert r.host.stats().shards == SHARDS
            assert all(r.host.owns(shard) for shard in range(SHARDS))
            first = await r.ask("add", 1)
            await r.crash()
            second = await r.ask("add", 1)
            assert first.position is not None
            assert second.position is not None
            assert (first.position.epoch, second.position.epoch) == (1, 2)

    run(case())


def test_damaged_shards_are_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = shard_of(COUNTER, "a", SHARDS)
    store = new_store()
    monkeypatch.setitem(store._damaged, damaged, "crc of record 3")

    async def case() -> None:
        async with rig(store) as r:
            reply = await r.ask("add", 1)
            assert number_of(reply) == "AK4001"
            assert reply.failure is not None
            assert "crc of record 3" in reply.failure.message
            assert r.host.stats().damaged == {damaged: "crc of record 3"}
            assert r.host.stats().shards == SHARDS - 1

    run(case())


def test_an_unknown_component_is_not_found() -> None:
    async def case() -> None:
        async with rig() as r:
            message = Message(MessageKind.COMMAND, "nobody", "a", "add")
            assert number_of(await r.host.ask(message)) == "AK2003"

    run(case())


def test_before_the_start_nobody_is_here() -> None:
    async def case() -> None:
        r = Rig(new_store(), HostLimits())
        assert not r.host.serving
        assert number_of(await r.ask("add", 1)) == "AK3004"

    run(case())


def test_drain_answers_what_is_under_way_and_refuses_the_rest() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            r.committer.hold_commits = True
            taken = r.send("add", 1)
            await settle()
            draining = asyncio.create_task(r.host.drain(20))
            await settle()
            refused = await r.ask("add", 1)
            assert number_of(refused) == "AK3002"
            assert refused.failure is not None
            assert refused.failure.retry_after_ms == 1000
            await r.committer.release()
            assert await draining is True
            assert total_of(taken.reply) == 2

    run(case())


def test_drain_gives_up_in_time_and_stop_still_waits_for_the_commit() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            r.committer.hold_commits = r.committer.hold_reads = True
            taken, cold = r.send("add", 1), r.send("add", 1, "cold")
            draining = asyncio.create_task(r.host.drain(2))
            await r.clock.advance(1999)
            assert not draining.done()
            await r.clock.advance(1)
            assert await draining is False
            stopping = asyncio.create_task(r.host.stop())
            await settle()
            assert number_of(cold.reply) == "AK3002"  # not started: never will be
            r.committer.hold_reads = False
            await r.committer.release()
            await stopping
            assert total_of(taken.reply) == 2
            assert number_of(await r.ask("add", 1)) == "AK3004"

    run(case())


def test_a_crash_leaves_outcomes_unknown_and_what_was_stored() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            r.committer.hold_commits = True
            flying = r.send("add", 1)
            r.committer.hold_reads = True
            cold = r.send("add", 1, "cold")
            await settle()
            await r.crash()
            assert number_of(flying.reply) == "AK3101"
            assert flying.reply is not None
            assert flying.reply.failure is not None
            assert flying.reply.failure.outcome == "unknown"
            assert number_of(cold.reply) == "AK3004"
            assert await r.query() == 1
            assert await r.query("cold") == 0

    run(case())


def test_a_caller_who_goes_away_takes_along_what_was_not_started() -> None:
    async def case() -> None:
        async with rig() as r:
            r.committer.hold_reads = True
            message = Message(MessageKind.COMMAND, COUNTER, "a", "add", b"1")
            gone = asyncio.create_task(r.host.ask(message))
            await settle()
            gone.cancel()
            await settle()
            await r.committer.release()
            r.committer.hold_reads = False
            assert await r.query() == 0
            r.committer.hold_commits = True
            gone = asyncio.create_task(r.host.ask(message))
            await settle()
            gone.cancel()
            await r.committer.release()
            assert await r.query() == 1  # it was started: it runs to its end

    run(case())


def test_stats_and_observer() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.ask("add_each", "1 2 3")
            await r.add(1, "b")
            assert r.host.stats().live == {COUNTER: 2}
            assert r.watcher.commits == [(1, 3), (1, 1)]
            assert r.watcher.numbers == ["", ""]
            assert r.watcher.loads == 2
            r.committer.hold_commits = True
            r.send("add", 1)
            await settle()
            assert r.host.stats().commit_queue == 1

    run(case())


def test_a_store_that_cannot_open_its_shards_does_not_start() -> None:
    async def case() -> None:
        store = new_store()
        store.close()
        r = Rig(store, HostLimits())
        with pytest.raises(Exception, match="closed"):
            await r.host.start()

    run(case())


def test_the_same_on_threads_and_real_time() -> None:
    async def case() -> None:
        store = new_store()
        host = ShardHost(
            store,
            {COUNTER: CounterBehavior()},
            clock=RealClock(),
            limits=HostLimits(),
            committer=ThreadCommitter(store),
        )
        await host.start()

        async def client(number: int) -> list[int]:
            entity = f"e{number % 3}"
            totals: list[int] = []
            for n in range(50):
                key = f"k{number}-{n}" if n % 5 == 0 else ""
                message = Message(MessageKind.COMMAND, COUNTER, entity, "add", b"1", key=key)
                totals.append(total_of(await host.ask(message)))
                assert total_of(await host.ask(message)) == totals[-1] if key else True
            assert totals == sorted(totals)
            return totals

        replies = await asyncio.gather(*(client(number) for number in range(12)))
        for number in range(3):
            told = sorted(total for each in replies[number::3] for total in each)
            assert told == list(range(1, 201))  # each total was told once: nothing ran twice
        assert await host.drain(10)
        await host.stop()
        assert store.crash().shard(0).position.epoch == 1

    run(case())


def test_defaults_of_a_host() -> None:
    async def case() -> None:
        store: MemoryStore = new_store()
        r = Rig(store, HostLimits())
        host = ShardHost(
            store,
            {COUNTER: CounterBehavior()},
            clock=r.clock,
            limits=HostLimits(),
            committer=r.committer,
        )
        await host.start()
        assert host.serving
        await host.stop()
        await host.stop()

    run(case())
