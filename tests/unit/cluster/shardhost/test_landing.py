"""Appends that fail: everything that rested on them goes with them, and nothing else."""

from __future__ import annotations

import pytest

from actorkalix.runtime.virtual import settle
from actorkalix_cluster.placement import shard_of
from actorkalix_cluster.shardhost.messages import MessageKind
from actorkalix_storage.api import (
    Append,
    Appended,
    DurabilityLost,
    Record,
    RecordKind,
    StoreFull,
)
from actorkalix_storage.memorystore import MemoryStore
from tests.unit.cluster.shardhost.counter import COUNTER
from tests.unit.cluster.shardhost.rig import SHARDS, number_of, rig, run, total_of

pytestmark = pytest.mark.usefixtures("hosting")


def test_es_23_a_full_store_fails_all_that_rested_on_it_and_goes_on() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            await r.add(1, "b")
            r.committer.hold_commits = True
            first = r.send("add", 10)
            await settle()
            second, plain, other = r.send("add", 100), r.send("tell"), r.send("add", 1, "b")
            await settle()
            r.store.fail_next_commit(StoreFull("no space"))
            await r.committer.release()
            assert [number_of(t.reply) for t in (first, second, plain)] == ["AK3003"] * 3
            assert first.reply is not None
            assert first.reply.failure is not None
            assert first.reply.failure.http_status == 507
            assert first.reply.failure.outcome == "not_executed"
            r.committer.hold_commits = False
            await r.committer.release()
            assert total_of(other.reply) == 2  # of the next batch, and of nobody's failure
            assert await r.add(2) == 3  # rebuilt from storage
            assert r.fatal == []

    run(case())


def test_a_stale_epoch_loses_the_shard(caplog: pytest.LogCaptureFixture) -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            reply = await r.ask("tell", kind=MessageKind.QUERY)
            r.committer.hold_commits = True
            first, second = r.send("add", 1), r.send("add", 1)
            await settle()
            resting = r.send("tell")
            await settle()
            r.store.open_shards([reply.shard], r.clock.now_ms())  # another owner
            r.committer.hold_commits = False
            await r.committer.release()
            assert [number_of(t.reply) for t in (first, second, resting)] == ["AK3006"] * 3
            assert not r.host.owns(reply.shard)
            assert number_of(await r.ask("add", 1)) == "AK3004"
            assert number_of(await r.ask("tell", kind=MessageKind.QUERY)) == "AK3004"
            assert r.host.stats().live == {}

    run(case())
    assert "old_epoch" in caplog.text


def test_an_append_that_is_refused_alone_costs_its_actor_alone() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            await r.add(1, "b")
            r.committer.hold_commits = True
            bad = r.send("add_each", "5")
            behind, other = r.send("add", 1), r.send("add", 1, "b")
            await settle()
            write_behind_its_back(r.store, "a")
            r.committer.hold_commits = False
            await r.committer.release()
            assert [number_of(t.reply) for t in (bad, behind)] == ["AK3006"] * 2
            assert total_of(other.reply) == 2
            assert await r.add(1) == 1002  # what is stored counts

    run(case())


def test_lost_durability_ends_the_host_with_unknown_outcomes() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            r.store.fail_next_commit(DurabilityLost("fsync: input/output error"), stored=True)
            r.committer.hold_reads = True
            loading = r.send("add", 1, "cold")
            reply = await r.ask("add", 1)
            assert number_of(reply) == "AK3102"
            assert reply.failure is not None
            assert reply.failure.outcome == "unknown"
            assert number_of(loading.reply) == "AK3004"  # never started
            assert len(r.fatal) == 1
            assert "fsync" in r.fatal[0]
            assert number_of(await r.ask("add", 1)) == "AK3004"
            await r.host.stop()
            r.fatal.clear()
            await r.crash()
            assert await r.query() == 2

    run(case())


def test_a_bug_in_the_store_is_fatal_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def case() -> None:
        async with rig() as r:

            def fail(appends: object) -> None:
                raise ZeroDivisionError("a bug")

            monkeypatch.setattr(r.store, "commit", fail)
            assert number_of(await r.ask("add", 1)) == "AK3102"
            assert r.fatal == ["ZeroDivisionError: a bug"]

    run(case())


def shard_number(entity: str) -> int:
    """Shard of a counter."""
    return shard_of(COUNTER, entity, SHARDS)


def write_behind_its_back(store: MemoryStore, entity: str) -> None:
    """Somebody else writes the actor's next two records."""
    head = store.head(shard_number(entity), COUNTER, entity)
    assert head is not None
    one, two = (
        Record(RecordKind.EVENT, COUNTER, entity, head.number + n, 0, b"500") for n in (1, 2)
    )
    append = Append(shard_number(entity), head.epoch, head.version, (one, two))
    (outcome,) = store.commit([append])
    assert isinstance(outcome, Appended)
