"""Expiry and cleanup, on virtual time."""

from __future__ import annotations

import pytest

from actorkalix_cluster.shardhost.messages import MessageKind
from actorkalix_storage.api import StoreFull
from tests.unit.cluster.shardhost.rig import Rig, number_of, rig, run

pytestmark = pytest.mark.usefixtures("hosting")

DAY_MS = 86_400_000


async def deleted(r: Rig, entity: str = "a") -> bool:
    """The counter takes no more changes."""
    reply = await r.ask("add", 0, entity)
    return reply.failure is not None and reply.failure.number == "AK2009"


def kinds(r: Rig, entity: str = "a") -> list[str]:
    """Kinds of the counter's records."""
    for shard in range(r.store.identity.shards):
        found = r.store.history(shard, "counter", entity)
        if found:
            return [stored.record.kind.name for stored in found]
    return []


def test_es_54_an_entity_expires_on_time_and_never_early() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.clock.advance(12_345)
            await r.ask("lend", 7_777)
            await r.clock.advance(7_776)
            assert kinds(r) == ["EVENT"]
            await r.clock.advance(1)
            assert kinds(r) == ["EVENT", "DELETED"]
            assert await deleted(r)

    run(case())


def test_es_54_a_later_change_without_expiry_cancels_it() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.ask("lend", 5_000)
            await r.add(1)
            await r.clock.advance(60_000)
            assert kinds(r) == ["EVENT", "EVENT"]

    run(case())


def test_what_became_due_while_nobody_ran_fires_at_the_start() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.ask("lend", 5_000)
            await r.ask("lend", 9_000_000, "far")
            r.host.abandon()
            await r.clock.advance(10_000)
            await r.crash()
            assert kinds(r) == ["EVENT", "DELETED"]
            assert kinds(r, "far") == ["EVENT"]
            await r.clock.advance(9_000_000)
            assert kinds(r, "far") == ["EVENT", "DELETED"]

    run(case())


def test_many_that_are_due_at_once_all_fire() -> None:
    async def case() -> None:
        async with rig(residences_max=1_000) as r:
            for n in range(600):
                await r.ask("lend", 5_000, f"e{n}")
            await r.clock.advance(5_000)
            for n in range(600):
                assert await deleted(r, f"e{n}")

    run(case())


def test_an_expiry_that_failed_is_tried_again() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.ask("lend", 5_000)
            await r.clock.advance(4_999)
            r.store.fail_next_commit(StoreFull("no space"))
            await r.clock.advance(1)
            assert kinds(r) == ["EVENT"]
            await r.clock.advance(1_000)
            assert kinds(r) == ["EVENT", "DELETED"]

    run(case())


def test_es_52_es_53_cleanup_after_the_retention_and_the_id_begins_anew() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.ask("add_each", "1 2 3")
            await r.ask("delete")
            await r.clock.advance(7 * DAY_MS - 3_600_000)
            assert await deleted(r)
            assert await r.query() == 6  # ES-51: it is readable until then
            await r.clock.advance(2 * 3_600_000)
            assert kinds(r) == []
            assert await r.query() == 0
            reply = await r.ask("add", 1)
            assert reply.failure is None
            (stored,) = r.store.history(reply.shard, "counter", "a")
            assert (stored.record.number, stored.version) == (1, 1)
            assert reply.position is not None
            assert stored.incarnation == reply.position.offset

    run(case())


def test_what_the_guard_holds_stays() -> None:
    async def case() -> None:
        async with rig(retention_ms=1_000, keys_kept_ms=10 * DAY_MS) as r:
            for n in range(300):
                await r.ask("delete", "", f"e{n}")
            await r.clock.advance(9 * DAY_MS)
            assert kinds(r, "e7") == ["DELETED"]
            await r.clock.advance(2 * DAY_MS)
            assert kinds(r, "e7") == []

    run(case())


def test_a_drained_host_sends_nothing_more() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.ask("lend", 5_000)
            assert await r.host.drain(1)
            await r.clock.advance(60_000)
            assert kinds(r) == ["EVENT"]
            late = await r.ask("tell", kind=MessageKind.QUERY)
            assert number_of(late) == "AK3002"

    run(case())
