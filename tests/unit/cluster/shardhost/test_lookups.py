"""Questions about keys: in batches, each with an answer of its own."""

from __future__ import annotations

import pytest

from actorkalix_cluster.shardhost.lookups import BATCH_MAX, Used
from tests.unit.cluster.shardhost.rig import rig, run, total_of


def test_what_comes_while_the_reader_has_a_batch_is_the_next_one() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            before = r.committer.reads
            r.committer.hold_reads = True
            tickets = [r.send("add", 1, key=f"k{n}") for n in range(20)]
            assert r.committer.reads == before + 1
            await r.committer.release()
            assert r.committer.reads == before + 2
            assert [ticket.reply is not None for ticket in tickets] == [True] + [False] * 19
            await r.committer.release()
            assert [total_of(ticket.reply) for ticket in tickets] == list(range(2, 22))
            r.committer.hold_reads = False
            assert await r.add(1, key="k19") == 21, "it was used"

    run(case())


def test_a_question_that_fails_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async def case() -> None:
        async with rig() as r:
            ask, used = r.store.remembered_some, dict[bytes, Used]()

            def asked(shard: int, component: str, entity: str, keys: tuple[bytes, ...]) -> object:
                if b"bad" in keys:
                    raise KeyError("a bug")
                return ask(shard, component, entity, keys)

            monkeypatch.setattr(r.store, "remembered_some", asked)
            r.committer.hold_reads = True
            for key in (b"one", b"bad", b"two"):
                r.host._live.lookups.put(
                    *(0, "counter", "a", (key,)), lambda found, key=key: used.update({key: found})
                )
            await r.committer.release()
            await r.committer.release()
            assert (used[b"one"], used[b"two"]) == ([], [])
            assert isinstance(used[b"bad"], KeyError)

    run(case())


def test_a_batch_is_bounded() -> None:
    async def case() -> None:
        async with rig() as r:
            told: list[int] = []
            r.committer.hold_reads = True
            before = r.committer.reads
            for n in range(1 + BATCH_MAX + 5):
                r.host._live.lookups.put(
                    *(0, "counter", "a", (b"k",)), lambda _, n=n: told.append(n)
                )
            for count in (1, 1 + BATCH_MAX, 6 + BATCH_MAX):
                await r.committer.release()
                assert told == list(range(count))
            assert r.committer.reads == before + 3

    run(case())


def test_a_host_that_has_ended_is_told_nothing() -> None:
    async def case() -> None:
        async with rig() as r:
            told: list[Used] = []
            r.committer.hold_reads = True
            for _ in range(3):
                r.host._live.lookups.put(0, "counter", "a", (b"k",), told.append)
            r.host.abandon()
            await r.committer.release()
            assert (told, r.committer.held) == ([], [])

    run(case())
