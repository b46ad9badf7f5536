"""Snapshots and the store's own time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actorkalix.runtime.virtual import settle
from actorkalix_storage.api import DurabilityLost, StoreFull
from tests.unit.cluster.shardhost.rig import Rig, number_of, rig, run, total_of

pytestmark = pytest.mark.usefixtures("hosting")


def snapshot_number(r: Rig, shard: int, entity: str = "a") -> int:
    """Number of changes in the newest snapshot."""
    history = r.store.load(shard, "counter", entity)
    assert history is not None
    return history.snapshot.number if history.snapshot else 0


def kept_slices(r: Rig, monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], bool]]:
    """Background work that waits until it is called."""
    slices: list[Callable[[], bool]] = []

    def background(job: Callable[[], bool], failed: object) -> None:
        slices.append(job)

    monkeypatch.setattr(r.committer, "background", background)
    return slices


def test_es_40_a_snapshot_is_stored_when_its_append_is_durable() -> None:
    async def case() -> None:
        async with rig() as r:
            reply = await r.ask("add_each", "1 2 3 4")
            assert snapshot_number(r, reply.shard) == 0
            r.committer.hold_commits = True
            fifth, sixth = r.send("add", 5), r.send("add", 6)
            await settle()
            assert snapshot_number(r, reply.shard) == 0
            await r.committer.release()
            r.committer.hold_commits = False
            await r.committer.release()
            assert (total_of(fifth.reply), total_of(sixth.reply)) == (15, 21)
            assert snapshot_number(r, reply.shard) == 5
            await r.crash()
            assert await r.add(1) == 22  # ES-41

    run(case())


def test_es_42_a_snapshot_that_cannot_be_made_costs_a_log_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def case() -> None:
        async with rig() as r:
            assert total_of(await r.ask("add_each", "1 2 3 4 5", "no-snapshot")) == 15
            assert await r.add(1, "no-snapshot") == 16

    run(case())
    assert "no snapshot of counter" in caplog.text


def test_snapshots_that_wait_are_bounded_and_the_newest_of_an_actor_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def case() -> None:
        async with rig(snapshot_backlog_bytes_max=4) as r:
            slices = kept_slices(r, monkeypatch)
            a = await r.ask("add_each", "1 1 1 1 1", "a")
            b = await r.ask("add_each", "10 10 10 10 10", "b")  # "5" and "50"
            c = await r.ask("add_each", "100 100 100 100 100", "c")  # "500" is too much
            await r.ask("add_each", "1 1 1 1 1", "a")
            await settle()
            (put_one,) = slices
            while put_one():
                pass
            assert snapshot_number(r, a.shard) == 10
            assert snapshot_number(r, b.shard, "b") == 5
            assert snapshot_number(r, c.shard, "c") == 0

    run(case())


def test_what_waits_when_the_host_stops_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def case() -> None:
        async with rig() as r:
            slices = kept_slices(r, monkeypatch)
            reply = await r.ask("add_each", "1 1 1 1 1")
            await settle()
            store = r.store
            await r.host.stop()
            assert slices[0]() is False
            assert r.fatal == []
            assert store.crash().load(reply.shard, "counter", "a") is not None

    run(case())


def test_a_full_disk_leaves_snapshots_out_and_later_ones_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def case() -> None:
        async with rig() as r:

            def put_snapshot(*snapshot: object) -> None:
                raise StoreFull("no space")

            with monkeypatch.context() as full:
                full.setattr(r.store, "put_snapshot", put_snapshot)
                reply = await r.ask("add_each", "1 1 1 1 1")
                await settle()
            assert snapshot_number(r, reply.shard) == 0
            await r.ask("add_each", "1 1 1 1 1")
            await settle()
            assert snapshot_number(r, reply.shard) == 10

    run(case())


def test_the_store_gets_time_after_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[int] = []
    slices = [True, True, False, False]

    async def case() -> None:
        async with rig(maintain_after_ms=1_000) as r:

            def maintain(now_ms: int) -> bool:
                times.append(now_ms)
                return slices.pop(0)

            monkeypatch.setattr(r.store, "maintain", maintain)
            start_ms = r.clock.now_ms()
            await r.clock.advance(10_000)
            assert times == []  # nothing was written
            await r.add(1)
            await r.add(1)
            await r.clock.advance(999)
            assert times == []
            await r.clock.advance(1)
            assert times == [start_ms + 11_000] * 3
            await r.clock.advance(60_000)
            assert len(times) == 3

    run(case())


def test_work_that_goes_on_takes_the_new_time_and_is_there_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times: list[int] = []

    async def case() -> None:
        async with rig(maintain_after_ms=1_000) as r:

            def maintain(now_ms: int) -> bool:
                times.append(now_ms)
                return len(times) < 3

            monkeypatch.setattr(r.store, "maintain", maintain)
            jobs = kept_slices(r, monkeypatch)
            start_ms = r.clock.now_ms()
            await r.add(1)
            await r.clock.advance(1_000)
            (job,) = jobs
            assert job()
            await r.add(1)
            await r.clock.advance(1_000)
            assert len(jobs) == 1, "it goes on"
            assert job()
            await r.add(1)
            await r.clock.advance(1_000)
            assert not job()
            assert times == [start_ms + 1_000, start_ms + 2_000, start_ms + 3_000]
            await r.add(1)
            await r.clock.advance(1_000)
            assert len(jobs) == 2

    run(case())


def test_background_work_waits_for_space_and_dies_of_lost_durability(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def case() -> None:
        async with rig() as r:
            errors: list[Exception] = [StoreFull("no space"), DurabilityLost("fsync")]

            def maintain(now_ms: int) -> bool:
                raise errors.pop(0)

            monkeypatch.setattr(r.store, "maintain", maintain)
            await r.add(1)
            await r.clock.advance(1_000)
            assert await r.add(1) == 2
            assert r.fatal == []
            await r.clock.advance(1_000)
            assert r.fatal == ["DurabilityLost: fsync"]
            assert number_of(await r.ask("add", 1)) == "AK3004"

    run(case())
