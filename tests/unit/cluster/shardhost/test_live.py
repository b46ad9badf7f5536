"""Loading and leaving memory."""

from __future__ import annotations

import pytest

from actorkalix.runtime.virtual import settle
from actorkalix_cluster.shardhost.messages import MessageKind
from actorkalix_storage.api import Damaged, Unreadable
from tests.unit.cluster.shardhost.counter import COUNTER, CounterBehavior
from tests.unit.cluster.shardhost.rig import number_of, rig, run, total_of


def test_messages_wait_for_the_load_and_are_handled_in_order() -> None:
    async def case() -> None:
        async with rig(mailbox_max=4) as r:
            r.committer.hold_reads = True
            tickets = [r.send("add", amount) for amount in (1, 10, 100)]
            query = r.send("tell", kind=MessageKind.QUERY)
            assert number_of(r.send("add", 1).reply) == "AK3001"
            assert r.host.stats().mailbox == 4
            await r.committer.release()
            assert [total_of(ticket.reply) for ticket in tickets] == [1, 11, 111]
            assert query.reply is not None
            assert r.watcher.loads == 1

    run(case())


def test_rt_70_idle_actors_leave_memory() -> None:
    async def case() -> None:
        async with rig(passivate_after_ms=30_000) as r:
            await r.add(1)
            await r.clock.advance(20_000)
            await r.add(1, "b")
            await r.clock.advance(9_999)
            assert r.host.stats().live == {COUNTER: 2}
            await r.clock.advance(1)
            assert r.host.stats().live == {COUNTER: 1}
            await r.clock.advance(20_000)
            assert r.host.stats().live == {}
            assert r.watcher.passed == [COUNTER, COUNTER]
            assert await r.add(1) == 2

    run(case())


def test_nothing_in_flight_is_passivated() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            r.committer.hold_commits = True
            ticket = r.send("add", 1)
            await r.clock.advance(120_000)
            assert r.host.stats().live == {COUNTER: 1}
            await r.committer.release()
            assert total_of(ticket.reply) == 2

    run(case())


def test_the_least_recently_used_make_room() -> None:
    async def case() -> None:
        async with rig(actors_max=2) as r:
            await r.add(1, "a")
            await r.add(1, "b")
            await r.add(1, "a")
            await r.add(1, "c")
            assert r.host.stats().live == {COUNTER: 2}
            loads = r.watcher.loads
            await r.add(1, "a")
            assert r.watcher.loads == loads
            await r.add(1, "b")
            assert r.watcher.loads == loads + 1

    run(case())


def test_busy_actors_are_passed_over() -> None:
    async def case() -> None:
        async with rig(actors_max=1) as r:
            await r.add(1, "a")
            r.committer.hold_commits = True
            flying = r.send("add", 1, "a")
            other = r.send("add", 1, "b")
            await settle()
            assert r.host.stats().live == {COUNTER: 2}
            r.committer.hold_commits = False
            await r.committer.release()
            assert (total_of(flying.reply), total_of(other.reply)) == (2, 1)

    run(case())


def test_es_18_what_cannot_be_restored_is_answered_so_until_it_can() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1, "unreadable")
            await r.crash()
            assert number_of(await r.ask("add", 1, "unreadable")) == "AK4002"
            assert r.host.stats().live == {}
            assert await r.add(1) == 1

    run(case())


def test_an_empty_state_that_raises_is_the_users_fault(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: object, entity: str) -> None:
        raise RuntimeError("the user's code")

    monkeypatch.setattr(CounterBehavior, "empty", fail)

    async def case() -> None:
        async with rig() as r:
            reply = await r.ask("add", 1)
            assert number_of(reply) == "AK2010"
            assert reply.failure is not None
            assert "cid-1" in reply.failure.message

    run(case())
    assert "cid-1" in caplog.text


def test_damage_found_by_a_load_takes_the_shard_out_of_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def case() -> None:
        async with rig() as r:

            def load(shard: int, component: str, entity: str) -> None:
                raise Damaged("record 3: crc")

            monkeypatch.setattr(r.store, "load", load)
            assert number_of(await r.ask("add", 1)) == "AK4001"
            assert list(r.host.stats().damaged.values()) == ["record 3: crc"]
            assert number_of(await r.ask("add", 1)) == "AK4001"

    run(case())


@pytest.mark.parametrize(
    "error,number", [(Unreadable("gone"), "AK4006"), (KeyError("a bug"), "AK9001")]
)
def test_other_errors_of_a_load_cost_its_messages_alone(
    error: Exception, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def case() -> None:
        async with rig() as r:

            def load(shard: int, component: str, entity: str) -> None:
                raise error

            with monkeypatch.context() as broken:
                broken.setattr(r.store, "load", load)
                assert number_of(await r.ask("add", 1)) == number
            assert await r.add(1) == 1

    run(case())
