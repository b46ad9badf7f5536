"""Speculation, queries, keys, faults: what the driver lets go, and when."""

from __future__ import annotations

import logging

import pytest

from actorkalix.runtime.virtual import settle
from actorkalix_cluster.shardhost.messages import MessageKind
from actorkalix_cluster.shardhost.ticket import Stage
from tests.unit.cluster.shardhost.rig import number_of, rig, run, total_of

pytestmark = pytest.mark.usefixtures("hosting")


def test_es_04_commands_are_handled_one_at_a_time_in_order() -> None:
    async def case() -> None:
        async with rig() as r:
            tickets = [r.send("add", 1) for _ in range(20)]
            assert [total_of(await ticket.wait()) for ticket in tickets] == list(range(1, 21))
            assert await r.query() == 20

    run(case())


def test_es_06_a_live_actor_is_asked_without_the_store() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(3)
            r.committer.hold_reads = True
            assert await r.add(4) == 7
            assert await r.query() == 7
            assert r.watcher.loads == 1

    run(case())


def test_es_22_no_reply_leaves_before_its_append_is_durable() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            r.committer.hold_commits = True
            first, second = r.send("add", 10), r.send("add", 100)
            plain, refused = r.send("tell"), r.send("refuse")
            await settle()
            assert [t.reply for t in (first, second, plain, refused)] == [None] * 4
            assert await r.query() == 1  # queries see what is durable
            await r.committer.release()
            await r.committer.release()  # elsewhere they left one by one
            assert total_of(first.reply) == 11
            assert total_of(second.reply) == 111
            assert total_of(plain.reply) == 111
            assert number_of(refused.reply) == "AK2001"
            assert await r.query() == 111

    run(case())


def test_what_came_during_a_commit_waits_for_the_next_one() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            r.committer.hold_commits = True
            first = r.send("add", 1)
            await settle()
            second, plain = r.send("add", 1), r.send("tell")
            await r.committer.release()
            assert total_of(first.reply) == 2
            assert (second.reply, plain.reply) == (None, None)
            assert await r.query() == 2
            await r.committer.release()
            assert (total_of(second.reply), total_of(plain.reply)) == (3, 3)

    run(case())


def test_replies_carry_the_position_they_rest_on() -> None:
    async def case() -> None:
        async with rig() as r:
            assert (await r.ask("tell")).position is None
            wrote = await r.ask("add_each", "1 2 3")
            read = await r.ask("tell", kind=MessageKind.QUERY)
            assert wrote.position is not None
            assert wrote.position == read.position
            assert wrote.position.offset == 4  # the first record of a shard is its epoch
            assert r.store.records(wrote.shard, 0)[-1].position == wrote.position

    run(case())


@pytest.mark.here_only  # elsewhere one message is away, and the rest waits for it
def test_speculation_is_bounded_and_the_rest_waits() -> None:
    async def case() -> None:
        async with rig(speculation_max=3, mailbox_max=2) as r:
            await r.add(1)
            r.committer.hold_commits = True
            tickets = [r.send("add", 1) for _ in range(5)]
            over = r.send("add", 1)
            assert number_of(over.reply) == "AK3001"
            assert over.reply is not None
            assert over.reply.failure is not None
            assert over.reply.failure.retry_after_ms == 1000
            assert r.host.stats().mailbox == 2
            await settle()
            await r.committer.release()
            await r.committer.release()
            assert [total_of(t.reply) for t in tickets] == [2, 3, 4, 5, 6]

    run(case())


def test_a_deadline_that_has_passed_starts_nothing() -> None:
    async def case() -> None:
        async with rig() as r:
            late = await r.ask("add", 1, deadline_ms=r.clock.now_ms() - 1)
            assert number_of(late) == "AK3005"
            assert await r.query() == 0
            gone = await r.ask("tell", kind=MessageKind.QUERY, deadline_ms=1)
            assert number_of(gone) == "AK3005"

    run(case())


def test_es_82_user_code_that_raises_costs_the_instance_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(5)
            reply = await r.ask("explode")
            assert number_of(reply) == "AK2010"
            assert reply.failure is not None
            assert reply.failure.message == "unexpected error [cid-1]"
            assert r.host.stats().live == {}
            assert await r.add(1) == 6  # rebuilt from storage
            assert r.watcher.loads == 2
            number = number_of(await r.ask("explode", kind=MessageKind.QUERY))
            assert number == "AK2010"
            assert await r.query() == 6

    with caplog.at_level(logging.ERROR, "actorkalix.entity"):
        run(case())
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 2
    assert "cid-1" in errors[0].getMessage()
    assert errors[0].exc_info is not None


def test_es_82_appends_in_flight_before_the_fault_stay_good() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(5)
            r.committer.hold_commits = True
            good, bad, after = r.send("add", 1), r.send("explode"), r.send("add", 10)
            query = r.send("tell", kind=MessageKind.QUERY)
            await settle()
            assert (good.reply, bad.reply, after.reply, query.reply) == (None, None, None, None)
            r.committer.hold_commits = False
            await r.committer.release()
            assert total_of(good.reply) == 6
            assert number_of(bad.reply) == "AK2010"
            assert total_of(after.reply) == 16
            assert total_of(query.reply) in (6, 16)

    run(case())


def test_es_83_nothing_is_logged_for_domain_errors(caplog: pytest.LogCaptureFixture) -> None:
    async def case() -> None:
        async with rig() as r:
            assert number_of(await r.ask("refuse")) == "AK2001"
            assert r.watcher.numbers == ["AK2001"]

    with caplog.at_level(logging.DEBUG):
        run(case())
    assert not [record for record in caplog.records if record.name.startswith("actorkalix")]


def test_a_fault_is_logged_with_its_cause_and_costs_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            assert number_of(await r.ask("fault")) == "AK2011"
            assert await r.add(1) == 2
            assert r.watcher.loads == 1

    run(case())
    (record,) = caplog.records
    assert "cid-1" in record.getMessage()
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "the cause"


def test_a_key_is_executed_once_and_answered_again() -> None:
    async def case() -> None:
        async with rig() as r:
            assert await r.add(5, key="k") == 5
            again = await r.ask("add", 5, key="k")
            assert (total_of(again), again.replayed) == (5, True)
            assert again.position is not None
            assert await r.add(1) == 6
            other = await r.ask("add", 6, key="k")
            assert number_of(other) == "AK2008"
            await r.crash()
            again = await r.ask("add", 5, key="k")
            assert (total_of(again), again.replayed) == (5, True)
            assert await r.query() == 6

    run(case())


def test_a_key_in_flight_is_joined() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            r.committer.hold_commits = True
            first = r.send("add", 5, key="k")
            await settle()
            second, third = r.send("add", 5, key="k"), r.send("add", 6, key="k")
            assert second.stage is Stage.STARTED
            await r.committer.release()
            assert (total_of(first.reply), total_of(second.reply)) == (6, 6)
            assert number_of(third.reply) == "AK2008"
            assert await r.query() == 6

    run(case())


def test_a_key_that_is_looked_up_is_joined_and_its_first_may_leave() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            r.committer.hold_reads = True
            first, second, third = (r.send("add", 5, key="k") for _ in range(3))
            assert first.drop()
            r.committer.hold_reads = False
            await r.committer.release()
            assert (total_of(second.reply), total_of(third.reply)) == (6, 6)
            assert await r.query() == 6

    run(case())


def test_keys_count_for_a_day_by_record_time() -> None:
    async def case() -> None:
        async with rig(keys_kept_ms=1000) as r:
            await r.add(5, key="k")
            await r.clock.advance(999)
            assert await r.add(5, key="k") == 5
            await r.clock.advance(1)
            assert await r.add(5, key="k") == 10

    run(case())


@pytest.mark.here_only  # elsewhere nothing is stepped meanwhile
def test_a_lookup_survives_that_its_actor_is_dropped() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            r.committer.hold_reads = True
            keyed = r.send("add", 5, key="k")
            assert number_of(await r.ask("explode")) == "AK2010"
            r.committer.hold_reads = False
            await r.committer.release()
            assert total_of(keyed.reply) == 6

    run(case())


def test_a_key_that_cannot_be_looked_up_is_not_executed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)

            def fail(*args: object) -> None:
                raise KeyError("a bug")

            monkeypatch.setattr(r.store, "remembered_some", fail)
            assert number_of(await r.ask("add", 5, key="k")) == "AK9001"
            assert await r.query() == 1

    run(case())
    assert "not looked up" in caplog.text
