"""Where messages go, and how long callers wait."""

from __future__ import annotations

import asyncio

from actorkalix.runtime.virtual import settle
from actorkalix_cluster.shardhost.asked import Asked
from actorkalix_cluster.shardhost.messages import Message, MessageKind, Reply
from actorkalix_cluster.shardhost.router import TICK_MS, Router, Target
from actorkalix_storage.api import HomeTable
from tests.unit.cluster.shardhost.counter import COUNTER
from tests.unit.cluster.shardhost.rig import SHARDS, Rig, number_of, rig, run, total_of

ADD = Message(MessageKind.COMMAND, COUNTER, "a", "add", b"1")


def router_over(r: Rig, home: int = 0) -> Router:
    """A router whose shards all have this home; the rig's host is store 0."""
    targets: dict[int, Target] = {0: r.host}
    table = HomeTable(1, ((home,),) * SHARDS)
    return Router(table, targets, clock=r.clock, ask_timeout_ms=5_000)


def test_it_asks_the_host_of_the_home() -> None:
    async def case() -> None:
        async with rig() as r:
            router = router_over(r)
            assert router.homes(3) == (0,)
            assert total_of(await router.ask(ADD)) == 1
            query = Message(MessageKind.QUERY, COUNTER, "a", "tell")
            assert total_of(await router.ask(query)) == 1

    run(case())


def test_a_home_that_is_away_executes_nothing() -> None:
    async def case() -> None:
        async with rig() as r:
            reply = await router_over(r, home=5).ask(ADD)
            assert number_of(reply) == "AK3004"
            assert reply.failure is not None
            assert (reply.failure.outcome, reply.failure.retry_after_ms) == ("not_executed", 1000)

    run(case())


def test_a_started_command_that_takes_too_long_is_unknown_and_runs_on() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            r.committer.hold_commits = True
            asked = asyncio.create_task(router_over(r).ask(ADD))
            await r.clock.advance(4_999)
            assert not asked.done()
            await r.clock.advance(1 + 2 * TICK_MS)
            reply = await asked
            assert number_of(reply) == "AK3101"
            assert reply.failure is not None
            assert reply.failure.outcome == "unknown"
            await r.committer.release()
            assert await r.query() == 2

    run(case())


def test_a_command_in_the_mailbox_is_taken_back_and_never_executed() -> None:
    async def case() -> None:
        async with rig() as r:
            r.committer.hold_reads = True
            asked = asyncio.create_task(router_over(r).ask(ADD))
            await r.clock.advance(5_000 + 2 * TICK_MS)
            reply = await asked
            assert number_of(reply) == "AK3005"
            assert reply.failure is not None
            assert reply.failure.outcome == "not_executed"
            r.committer.hold_reads = False
            await r.committer.release()
            assert await r.query() == 0

    run(case())


def test_a_messages_own_deadline_counts() -> None:
    async def case() -> None:
        async with rig() as r:
            r.committer.hold_reads = True
            message = Message(
                MessageKind.QUERY, COUNTER, "a", "tell", deadline_ms=r.clock.now_ms() + 100
            )
            asked = asyncio.create_task(router_over(r).ask(message))
            await r.clock.advance(100 + 2 * TICK_MS)
            assert number_of(await asked) == "AK3005"

    run(case())


def test_a_caller_who_goes_away_takes_the_message_along() -> None:
    async def case() -> None:
        async with rig() as r:
            r.committer.hold_reads = True
            asked = asyncio.create_task(router_over(r).ask(ADD))
            await settle()
            asked.cancel()
            await settle()
            r.committer.hold_reads = False
            await r.committer.release()
            assert await r.query() == 0
            await r.clock.advance(10_000)

    run(case())


def begun(r: Rig) -> tuple[Router, Asked, list[Reply]]:
    """A router that has begun an `add`, and what is told of it."""
    router, told = router_over(r), list[Reply]()
    asked = router.begin(ADD, told.append)
    assert isinstance(asked, Asked)
    return router, asked, told


def test_what_is_begun_is_told_later_and_what_is_there_at_once() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            r.committer.hold_commits = True
            router, _, told = begun(r)
            query = Message(MessageKind.QUERY, COUNTER, "a", "tell")
            seen = router.begin(query, told.append)
            assert isinstance(seen, Reply)
            assert total_of(seen) == 1, "only what is on disk is seen"
            await settle()
            assert told == []
            await r.committer.release()
            await settle()
            assert [total_of(reply) for reply in told] == [2]

    run(case())


def test_who_drops_is_told_nothing_and_what_had_begun_runs_on() -> None:
    async def case() -> None:
        async with rig() as r:
            await r.add(1)
            r.committer.hold_commits = True
            router, asked, told = begun(r)
            router.drop(asked)
            await r.clock.advance(5_000 + 2 * TICK_MS)
            await r.committer.release()
            assert told == []
            assert await r.query() == 2

    run(case())


def test_what_is_dropped_before_it_has_begun_is_never_executed() -> None:
    async def case() -> None:
        async with rig() as r:
            r.committer.hold_reads = True
            router, asked, told = begun(r)
            router.drop(asked)
            r.committer.hold_reads = False
            await r.committer.release()
            assert told == []
            assert await r.query() == 0

    run(case())
