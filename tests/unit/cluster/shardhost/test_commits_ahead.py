"""Large states are written ahead of their commits, which hold up nobody."""

from __future__ import annotations

import pytest

from actorkalix.runtime.virtual import settle
from actorkalix_storage.api import AHEAD_BYTES, Ahead, StoreFull
from tests.unit.cluster.shardhost.rig import number_of, rig, run, total_of

LARGE = 3 * AHEAD_BYTES


def test_others_are_committed_while_a_large_state_is_being_written() -> None:
    async def case() -> None:
        async with rig() as r:
            r.committer.hold_slices = True
            large = r.send("fill", LARGE)
            await settle()
            assert await r.add(1, "other") == 1
            after = r.send("fill", 10)
            seen = r.send("tell", "")
            await settle()
            assert (large.reply, after.reply, seen.reply) == (None, None, None)
            assert r.host.stats().commit_queue == 1
            r.committer.hold_slices = False
            await r.committer.release()
            assert (total_of(large.reply), total_of(after.reply)) == (1, 2)
            assert r.host.stats().commit_queue == 0
            await r.crash()
            assert await r.query() == 2

    run(case())


def test_a_large_state_is_there_after_a_crash_and_named_by_its_key() -> None:
    async def case() -> None:
        async with rig() as r:
            assert total_of(await r.ask("fill", LARGE, key="once")) == 1
            await r.crash()
            assert total_of(await r.ask("fill", LARGE, key="once")) == 1
            assert total_of(await r.ask("fill", LARGE)) == 2

    run(case())


def test_a_crash_before_the_last_piece_leaves_the_state_before() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.ask("fill", LARGE)
            r.committer.hold_slices = True
            lost = r.send("fill", LARGE)
            await settle()
            await r.crash()
            assert number_of(lost.reply) != ""
            assert await r.query() == 1
            assert total_of(await r.ask("fill", LARGE)) == 2

    run(case())


def test_where_there_is_no_space_the_command_alone_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def case() -> None:
        async with rig() as r:
            await r.ask("fill", 10)
            forgotten: list[Ahead] = []
            with monkeypatch.context() as patch:

                def full(ahead: Ahead) -> bool:
                    raise StoreFull("no space")

                patch.setattr(r.store, "write_ahead", full)
                patch.setattr(r.store, "forget_ahead", forgotten.append)
                refused = await r.ask("fill", LARGE)
                assert number_of(refused) == "AK3003"
            assert [ahead.subject[2] for ahead in forgotten] == ["a"]
            assert r.fatal == []
            assert total_of(await r.ask("fill", LARGE)) == 2

    run(case())


def test_what_rested_on_a_failed_commit_is_written_no_further(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def case() -> None:
        async with rig() as r:
            await r.ask("fill", 10)
            r.committer.hold_commits = True
            first = r.send("fill", 10)
            await settle()
            r.committer.hold_slices = True
            second = r.send("fill", LARGE)
            await settle()
            r.store.fail_next_commit(StoreFull("no space"))
            commit, pieces = r.committer.held
            r.committer.held = [pieces]
            commit()
            await settle()
            assert (number_of(first.reply), number_of(second.reply)) == ("AK3003", "AK3003")
            r.committer.hold_commits = r.committer.hold_slices = False
            with monkeypatch.context() as patch:
                patch.setattr(r.store, "write_ahead", pytest.fail)
                await r.committer.release()
            assert total_of(await r.ask("fill", LARGE)) == 2

    run(case())


def test_what_is_whole_and_not_committed_any_more_is_forgotten() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.ask("fill", 10)
            r.committer.hold_commits = True
            first = r.send("fill", 10)
            await settle()
            second = r.send("fill", LARGE)
            await settle()
            assert len(r.store._ahead) == 1
            r.store.fail_next_commit(StoreFull("no space"))
            r.committer.hold_commits = False
            await r.committer.release()
            assert (number_of(first.reply), number_of(second.reply)) == ("AK3003", "AK3003")
            assert r.store._ahead == {}

    run(case())


def test_states_on_their_way_are_bounded_in_bytes() -> None:
    async def case() -> None:
        async with rig(ahead_bytes_max=LARGE) as r:
            for entity in "abc":
                await r.ask("fill", 10, entity)
            r.committer.hold_slices = True
            first = r.send("fill", 2 * LARGE, "a")  # one is always taken
            await settle()
            assert number_of(r.send("fill", LARGE, "b").reply) == "AK3001"
            small = r.send("fill", 10, "c")
            await settle()
            assert total_of(small.reply) == 2
            r.committer.hold_slices = False
            await r.committer.release()
            assert total_of(first.reply) == 2
            assert total_of(await r.ask("fill", LARGE, "b")) == 2

    run(case())
