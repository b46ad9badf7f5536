"""Loading and leaving memory."""

from __future__ import annotations

import pytest

from actorkalix.runtime.virtual import settle
from actorkalix_cluster.shardhost.live import SWEPT_MAX
from actorkalix_cluster.shardhost.messages import MessageKind
from actorkalix_storage.api import Damaged, Unreadable
from actorkalix_storage.memorystore import MemoryStore
from tests.unit.cluster.shardhost.counter import COUNTER, CounterBehavior
from tests.unit.cluster.shardhost.rig import number_of, rig, run, total_of


def break_loads(patch: pytest.MonkeyPatch, store: MemoryStore, error: Exception) -> None:
    """Whatever is asked of the store, it raises this."""

    def load(*asked: object) -> None:
        raise error

    patch.setattr(store, "load_some", load)
    patch.setattr(store, "load", load)


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


def test_those_who_are_asked_once_do_not_drive_out_those_who_are_asked_again() -> None:
    async def case() -> None:
        async with rig(actors_max=20) as r:
            warm = [f"warm-{n}" for n in range(15)]
            for entity in warm * 2:
                await r.add(1, entity)
            for n in range(100):
                await r.add(1, f"cold-{n}")
            loads = r.watcher.loads
            for entity in warm:
                await r.add(1, entity)
            assert r.watcher.loads == loads
            for entity in ["cold-98", "cold-99", "late", "late"]:
                await r.add(1, entity)
            assert r.watcher.loads == loads + 1
            for n in range(100):
                await r.add(1, f"colder-{n}")
            loads = r.watcher.loads
            for entity in ["late", "cold-98"]:
                await r.add(1, entity)
            assert r.watcher.loads == loads
            assert r.host.stats().live == {COUNTER: 20}

    run(case())


def test_whoever_rests_is_driven_out_by_newcomers_up_to_a_tenth() -> None:
    async def case() -> None:
        async with rig(actors_max=20) as r:
            for n in range(20):
                await r.add(1, f"e{n}")
                await r.add(1, f"e{n}")
            for n in range(10):
                await r.add(1, f"new-{n}")
            loads = r.watcher.loads
            for n in range(3, 20):
                await r.add(1, f"e{n}")
            assert r.watcher.loads == loads, "three have made room"
            await r.add(1, "e0")
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


def test_a_storm_stays_within_the_limit_and_what_is_at_work_and_nothing_is_lost() -> None:
    actors_max, loads_max, cold = 8, 20, 50

    async def case() -> None:
        async with rig(actors_max=actors_max, loads_max=loads_max, load_batch_max=4) as r:
            await r.add(1, "warm")
            r.committer.hold_reads = True
            storm = [r.send("add", 1, f"cold{n}", key=f"k{n}") for n in range(cold)]
            refused = [ticket for ticket in storm if ticket.reply is not None]
            assert len(refused) == cold - loads_max
            for ticket in refused:
                assert ticket.reply is not None
                failure = ticket.reply.failure
                assert failure is not None
                assert (failure.number, failure.retry_after_ms) == ("AK3001", 1_000)
            rounds = 0
            while r.committer.held:
                assert r.host.stats().live[COUNTER] <= actors_max + loads_max - rounds * 4 + 4
                warm = r.send("tell", "", "warm", kind=MessageKind.QUERY)
                assert total_of(warm.reply) == 1, "no queue is before who is in memory"
                await r.committer.release()
                rounds += 1
            assert rounds >= loads_max / 4
            r.committer.hold_reads = False
            taken = [ticket for ticket in storm if ticket not in refused]
            assert [total_of(await ticket.wait()) for ticket in taken] == [1] * loads_max
            await settle()
            assert r.host.stats().live == {COUNTER: actors_max}
            assert [await r.add(1, t.message.entity, key=t.message.key) for t in refused] == [
                1
            ] * len(refused)

    run(case())


def test_a_key_of_a_warm_actor_is_looked_up_after_one_batch_of_cold_ones() -> None:
    async def case() -> None:
        async with rig(load_batch_max=4) as r:
            await r.add(1, "warm")
            r.committer.hold_reads = True
            storm = [r.send("add", 1, f"cold{n}") for n in range(40)]
            warm = r.send("add", 1, "warm", key="k")
            await r.committer.release()
            assert total_of(warm.reply) == 2
            assert sum(ticket.reply is None for ticket in storm) >= 35
            while r.committer.held:
                await r.committer.release()
            assert [total_of(ticket.reply) for ticket in storm] == [1] * 40

    run(case())


def test_room_is_made_when_what_kept_actors_is_over() -> None:
    async def case() -> None:
        async with rig(actors_max=3) as r:
            tickets = [r.send("add", 1, f"e{n}") for n in range(40)]
            queries = [r.send("tell", "", f"q{n}", kind=MessageKind.QUERY) for n in range(40)]
            await settle()
            assert all(ticket.reply is not None for ticket in (*tickets, *queries))
            assert r.host.stats().live == {COUNTER: 3}

    run(case())


def test_many_idle_actors_leave_memory_some_at_a_time() -> None:
    async def case() -> None:
        async with rig(passivate_after_ms=30_000) as r:
            many = 2 * SWEPT_MAX + 10
            for n in range(many):
                await r.query(f"e{n}")
            await r.clock.advance(30_000)
            assert r.host.stats().live == {COUNTER: many - SWEPT_MAX}
            await r.clock.advance(1)
            assert r.host.stats().live == {COUNTER: 10}
            await r.clock.advance(1)
            assert r.host.stats().live == {}

    run(case())


@pytest.mark.parametrize("used_since", [False, True])
def test_a_clock_that_was_set_back_keeps_no_actor_for_long(
    used_since: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def case() -> None:
        async with rig(passivate_after_ms=30_000) as r:
            await r.add(1)
            now_ms = r.clock.now_ms
            monkeypatch.setattr(r.clock, "now_ms", lambda: now_ms() - 3_600_000)
            if used_since:
                await r.add(1, "b")
            await r.clock.advance(60_100)
            assert r.host.stats().live == {}

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
            break_loads(monkeypatch, r.store, Damaged("record 3: crc"))
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
            with monkeypatch.context() as broken:
                break_loads(broken, r.store, error)
                assert number_of(await r.ask("add", 1)) == number
            assert await r.add(1) == 1

    run(case())
