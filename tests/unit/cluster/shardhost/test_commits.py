"""Group commit: what is committed together."""

from __future__ import annotations

from actorkalix.runtime.virtual import settle
from tests.unit.cluster.shardhost.rig import number_of, rig, run, total_of


def test_what_comes_in_one_round_of_the_loop_is_one_commit() -> None:
    async def case() -> None:
        async with rig() as r:
            for n in range(10):
                await r.add(1, f"e{n}")
            r.committer.batches.clear()
            tickets = [r.send("add", 1, f"e{n}") for n in range(10)]
            await settle()
            assert r.committer.batches == [10]
            assert all(total_of(ticket.reply) == 2 for ticket in tickets)

    run(case())


def test_what_comes_during_a_commit_is_the_next_one() -> None:
    async def case() -> None:
        async with rig() as r:
            for n in range(5):
                await r.add(1, f"e{n}")
            r.committer.batches.clear()
            r.committer.hold_commits = True
            r.send("add", 1, "e0")
            await settle()
            for n in range(1, 5):
                r.send("add", 1, f"e{n}")
                await settle()
            assert r.committer.batches == [1]
            assert r.host.stats().commit_queue == 5
            await r.committer.release()
            assert r.committer.batches == [1, 4]

    run(case())


def test_a_commit_is_bounded_in_bytes() -> None:
    async def case() -> None:
        async with rig(commit_bytes_max=30) as r:
            await r.add(1)
            r.committer.batches.clear()
            tickets = [r.send("add", 10**9) for _ in range(6)]  # 10 bytes each
            large = r.send("add", 10**50)
            await settle()
            assert r.committer.batches == [3, 3, 1]
            assert all(ticket.reply is not None for ticket in (*tickets, large))

    run(case())


def test_the_queue_is_bounded() -> None:
    async def case() -> None:
        async with rig(commit_queue_max=3) as r:
            for n in range(4):
                await r.add(1, f"e{n}")
            r.committer.hold_commits = True
            for n in range(3):
                r.send("add", 1, f"e{n}")
            over = r.send("add", 1, "e3")
            assert number_of(over.reply) == "AK3001"
            assert number_of(r.send("tell", "", "e3").reply) == "AK3001"
            assert await r.query("e3") == 1
            await settle()
            await r.committer.release()
            r.committer.hold_commits = False
            assert await r.add(1, "e3") == 2

    run(case())
