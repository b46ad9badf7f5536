"""A shard that is lost while a message is handled: an answer without a write does not leave."""

from __future__ import annotations

import pytest

from actorkalix.runtime.virtual import settle
from actorkalix_cluster.placement import shard_of
from actorkalix_cluster.shardhost.messages import MessageKind
from actorkalix_storage.api import RecordKind
from tests.unit.cluster.shardhost.counter import COUNTER
from tests.unit.cluster.shardhost.rig import SHARDS, Rig, number_of, rig, run, total_of

pytestmark = pytest.mark.usefixtures("hosting")

SHARD = shard_of(COUNTER, "a", SHARDS)


def lose(r: Rig) -> None:
    """Another owner has the shard; once."""
    r.behavior.during = int
    shard = r.host._shards.get(SHARD)
    assert shard is not None
    r.host._shards.lose(shard)


def lose_for_good(r: Rig) -> None:
    """Another owner has it and has raised its epoch."""
    lose(r)
    r.store.open_shards([SHARD], r.clock.now_ms())


def stored(r: Rig) -> list[bytes]:
    """Amounts that are stored."""
    history = r.store.history(SHARD, COUNTER, "a")
    return [each.record.payload for each in history if each.record.kind is RecordKind.EVENT]


@pytest.mark.parametrize(
    "method, kind",
    [
        ("tell", MessageKind.QUERY),
        ("tell", MessageKind.COMMAND),  # a command that writes nothing
        ("refuse", MessageKind.QUERY),
        ("refuse", MessageKind.COMMAND),  # a domain error
        ("explode", MessageKind.COMMAND),
    ],
)
def test_an_answer_that_wrote_nothing_is_refused(method: str, kind: MessageKind) -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            r.behavior.during = lambda: lose(r)
            assert number_of(await r.ask(method, kind=kind)) == "AK3004"
            assert number_of(await r.ask("tell", kind=kind)) == "AK3004"

    run(case())


def test_the_same_when_its_actor_had_to_be_loaded() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            await r.crash()
            r.committer.hold_reads = True
            asked = r.send("tell", kind=MessageKind.QUERY)
            await settle()
            lose(r)
            await r.committer.release()
            assert number_of(asked.reply) == "AK3004"

    run(case())


def test_a_remembered_reply_is_refused() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(5, key="k")
            r.behavior.during = lambda: lose(r)
            assert number_of(await r.ask("add", 5, key="k")) == "AK3004"
            assert stored(r) == [b"5"]

    run(case())


@pytest.mark.parametrize("used_before", [True, False])
def test_keys_that_wait_for_the_store_are_refused(used_before: bool) -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(5, key="k" if used_before else "other")
            r.committer.hold_reads = True
            first, joined = r.send("add", 5, key="k"), r.send("add", 5, key="k")
            lose_for_good(r)
            await r.committer.release()
            assert [number_of(ticket.reply) for ticket in (first, joined)] == ["AK3004"] * 2
            assert r.committer.batches == [1]  # nothing was started that the store must refuse
            assert stored(r) == [b"5"]

    run(case())


def test_what_rests_on_an_append_is_refused_and_the_append_keeps_its_word() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            r.committer.hold_commits = True
            wrote, joined = r.send("add", 5, key="k"), r.send("add", 5, key="k")
            r.committer.hold_reads = False
            await settle()
            plain, refused = r.send("tell"), r.send("refuse")
            lose(r)  # after the append: it was ours still, and is stored
            await r.committer.release()
            assert stored(r) == [b"1", b"5"]
            assert total_of(wrote.reply) == 6
            assert total_of(joined.reply) == 6  # "not executed" would be a lie
            assert [number_of(ticket.reply) for ticket in (plain, refused)] == ["AK3004"] * 2

    run(case())


def test_an_append_that_came_too_late_is_refused_with_all_that_joined_or_rests_on_it() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            r.committer.hold_commits = True
            wrote, joined = r.send("add", 5, key="k"), r.send("add", 5, key="k")
            await settle()
            plain = r.send("tell")
            await settle()
            lose_for_good(r)
            await r.committer.release()
            tickets = (wrote, joined, plain)
            assert [number_of(ticket.reply) for ticket in tickets] == ["AK3006"] * 3
            assert all(
                t.reply and t.reply.failure and t.reply.failure.outcome == "not_executed"
                for t in tickets
            )
            assert stored(r) == [b"1"]

    run(case())
