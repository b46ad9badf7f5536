"""Actors that run elsewhere: what their messages come to when places end, and when they wait."""

from __future__ import annotations

import pytest

from actorkalix.runtime.virtual import settle
from actorkalix_cluster.shardhost.messages import MessageKind
from actorkalix_storage.api import StoreFull
from tests.unit.cluster.shardhost import rig as rigs
from tests.unit.cluster.shardhost.counter import COUNTER
from tests.unit.cluster.shardhost.rig import IDLE_STOP_MS, Rig, number_of, rig, run, total_of

QUERY = MessageKind.QUERY


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counters have places of their own."""
    monkeypatch.setattr(rigs, "ELSEWHERE", True)


class Ends:
    """Weather that ends a place at a question, of those from now on: odd ones are before a run."""

    def __init__(self) -> None:
        self.at = 0

    def delay_s(self) -> float:
        """None."""
        return 0.0

    def ends(self) -> bool:
        """At the one."""
        self.at -= 1
        return self.at == 0


def weather_of(r: Rig) -> Ends:
    """Its places can be ended."""
    weather = r.places.weather = Ends()
    return weather


@pytest.mark.parametrize("at", [1, 2])
def test_a_place_that_ends_costs_its_command_and_nothing_else(at: int) -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            weather = weather_of(r)
            weather.at = at
            ended, later = r.send("add", 10), r.send("add", 100)
            reply = await ended.wait()
            assert number_of(reply) == "AK3008"
            assert reply.failure is not None
            assert (reply.failure.outcome, reply.failure.retry_after_ms) == ("not_executed", 1_000)
            assert total_of(await later.wait()) == 101
            assert await r.query() == 101
            assert (r.places.opened, r.watcher.loads) == (2, 2)

    run(case())


def test_appends_in_flight_when_a_place_ends_were_good() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            r.committer.hold_commits = True
            good = r.send("add", 10)
            await settle()
            r.places.open_now[COUNTER, "a"].end()
            later = r.send("add", 100)
            await settle()
            assert later.reply is None
            r.committer.hold_commits = False
            await r.committer.release()
            assert total_of(good.reply) == 11
            assert total_of(await later.wait()) == 111

    run(case())


def test_a_place_that_ends_while_idle_costs_nobody_anything() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            r.places.open_now[COUNTER, "a"].end()
            assert r.host.stats().live == {}
            assert await r.add(1) == 2

    run(case())


def test_what_ran_on_a_refused_append_is_not_committed_and_queries_are_answered() -> None:
    async def case(kind: MessageKind) -> None:
        async with rig() as r:
            await r.add(1)
            r.committer.hold_commits = True
            refused = r.send("add", 10)
            await settle()
            r.store.fail_next_commit(StoreFull("no space"))
            away = r.send("tell", kind=kind)  # it is there when the append comes back
            held, r.committer.held = r.committer.held, []
            for each in held:
                each()
            r.committer.hold_commits = False
            await settle()
            assert number_of(refused.reply) == "AK3003"
            if kind is QUERY:
                assert total_of(away.reply) == 1
            else:
                assert number_of(away.reply) == "AK3006"
            assert await r.add(2) == 3

    run(case(MessageKind.QUERY))
    run(case(MessageKind.COMMAND))


def test_a_shard_that_is_lost_while_a_message_is_away() -> None:
    async def case() -> None:
        async with rig() as r:
            reply = await r.ask("add", 1)
            away = r.send("add", 10)
            r.store.open_shards([reply.shard], r.clock.now_ms())  # another owner
            await settle()
            assert number_of(away.reply) == "AK3006"
            assert not r.places.open_now
            assert r.host.stats().live == {}

    run(case())


def test_records_carry_the_time_of_the_shard_when_they_join_the_queue() -> None:
    async def case() -> None:
        async with rig() as r:
            first = await r.ask("add", 1)
            away = r.send("add", 1)
            owned = r.host._shards.get(first.shard)
            assert owned is not None
            owned.time_ms = r.clock.now_ms() + 5_000  # as another actor of the shard may do
            await away.wait()
            times = [found.record.time_ms for found in r.store.records(first.shard, 0)]
            assert times == sorted(times)
            assert times[-1] == r.clock.now_ms() + 5_000

    run(case())


def test_an_actor_leaves_memory_with_its_place() -> None:
    async def case() -> None:
        async with rig(passivate_after_ms=100) as r:
            await r.add(1)
            await r.advance(IDLE_STOP_MS - 1)
            assert r.host.stats().live == {COUNTER: 1}
            await r.advance(1)
            assert r.host.stats().live == {}
            assert not r.places.open_now
            assert await r.add(1) == 2

    run(case())


def test_a_cleaned_actor_gives_its_place_back_at_once() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.ask("delete")
            await r.ask("", kind=MessageKind.CLEAN)
            assert not r.places.open_now

    run(case())


class Never(Ends):
    """Weather in which nothing comes to be."""

    def delay_s(self) -> float:
        """Longer than anybody waits."""
        return 3_600.0


def test_who_waits_for_room_is_told_before_its_deadline_and_at_last_in_any_case() -> None:
    async def case() -> None:
        async with rig(residence_start_ms=30_000) as r:
            r.places.weather = Never()
            now_ms = r.clock.now_ms()
            hasty = r.send("add", 1, deadline_ms=now_ms + 5_000)
            patient = r.send("add", 1)
            await r.clock.advance(4_000)
            assert (hasty.reply, patient.reply) == (None, None)
            await r.clock.advance(900)
            assert number_of(hasty.reply) == "AK3009"
            assert hasty.reply is not None
            assert hasty.reply.failure is not None
            assert hasty.reply.failure.retry_after_ms > 0
            await r.clock.advance(25_000)
            assert patient.reply is None
            await r.clock.advance(500)
            assert number_of(patient.reply) == "AK3009"
            assert r.host.stats().live == {}
            assert r.places.opened == 1  # it goes on starting

    run(case())


def test_the_end_of_a_host_ends_all_places() -> None:
    async def case() -> None:
        async with rig() as r:
            places = r.places
            await r.add(1)
            waits = r.send("add", 1, "b")
            await r.crash()
            assert not places.open_now
            assert number_of(waits.reply) in ("AK3004", "AK3101")
            assert r.places.opened == 0  # a start starts none
            assert await r.add(1) == 2

    run(case())
