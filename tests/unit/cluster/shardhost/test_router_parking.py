"""Messages whose owner is away, has moved or will not have them: they wait, in order, and go on."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from actorkalix.runtime.virtual import settle
from actorkalix_cluster.placement import shard_of
from actorkalix_cluster.shardhost.messages import MessageKind, Reply
from actorkalix_cluster.shardhost.router import RETRY_MS, TICK_MS
from actorkalix_storage.api import HomeTable
from tests.unit.cluster.shardhost.counter import COUNTER
from tests.unit.cluster.shardhost.net import OWNER_WAIT_MS, Net, Node, net
from tests.unit.cluster.shardhost.rig import SHARDS, number_of, run, total_of

Asked = list[asyncio.Task[Reply]]


def asks(node: Node, amounts: list[int], entity: str) -> Asked:
    """Add these, one after the other."""
    return [node.ask("add", amount, entity) for amount in amounts]


def totals(asked: Asked) -> list[int]:
    """What was answered; all have to be there."""
    return [total_of(each.result()) for each in asked]


async def away(n: Net, number: int = 1) -> None:
    """A host has ended, and the others know."""
    n.nodes[number].kill()
    for node in n.nodes.values():
        if node.number != number:
            node.lose(n.nodes[number])
    await settle()


async def back(n: Net, number: int = 1) -> None:
    """Its store is open again, and all know."""
    await n.replace(number)
    n.introduce()
    await settle()


def test_a_message_waits_until_its_owner_is_back() -> None:
    async def case() -> None:
        async with net() as n:
            await away(n)
            asked = asks(n.nodes[0], [1, 2, 4], n.entity_of(1))
            await n.clock.advance(OWNER_WAIT_MS - 100)
            assert n.nodes[0].router.parked == 3
            assert not any(each.done() for each in asked)
            await back(n)
            assert totals(asked) == [1, 3, 7]
            assert n.nodes[0].router.parked == 0

    run(case())


def test_when_the_owner_stays_away_nothing_is_executed_and_its_caller_is_told_in_time() -> None:
    async def case() -> None:
        async with net() as n:
            await away(n)
            entity = n.entity_of(1)
            until_ms = n.clock.now_ms() + 300
            soon = n.nodes[0].ask("add", 1, entity, deadline_ms=until_ms)
            (late,) = asks(n.nodes[0], [2], entity)
            await n.clock.advance(299)
            assert not soon.done()
            await n.clock.advance(1 + TICK_MS)
            assert number_of(soon.result()) == "AK3004"
            await n.clock.advance(OWNER_WAIT_MS - 300 - TICK_MS - 1)
            assert not late.done()
            await n.clock.advance(1 + TICK_MS)
            failure = late.result().failure
            assert failure is not None
            assert (failure.number, failure.outcome) == ("AK3004", "not_executed")
            assert failure.retry_after_ms == 1_000
            await back(n)
            asked = n.nodes[0].query(entity)
            await settle()
            assert totals([asked]) == [0]

    run(case())


def test_what_had_not_left_when_its_host_ended_goes_to_the_next_owner_by_itself() -> None:
    async def case() -> None:
        async with net(batches_in_flight_max=1) as n:
            node, entity = n.nodes[0], n.entity_of(1)
            n.held = True
            left, query = node.ask("add", 1, entity), node.query(entity)
            await settle()
            queued = asks(node, [2, 4], entity)
            await settle()
            await away(n)
            assert number_of(left.result()) == "AK3101", "at once"
            n.held = False
            later = asks(node, [8], entity)
            await back(n)
            assert totals([*queued, *later]) == [2, 6, 14]
            assert totals([query]) == [0], "before what was sent behind it"

    run(case())


def test_no_more_than_parked_max_wait() -> None:
    async def case() -> None:
        async with net() as n:
            await away(n)
            node, entity = n.nodes[0], n.entity_of(1)
            node.router._parked_max = 2
            asked = asks(node, [1, 2, 4], entity)
            await settle()
            assert [each.done() for each in asked] == [False, False, True]
            assert number_of(asked[2].result()) == "AK3001"
            asked[0].cancel()
            await settle()
            asked += asks(node, [8], entity)
            await settle()
            await back(n)
            assert totals([asked[1], asked[3]]) == [2, 10], "without the cancelled one"

    run(case())


def test_a_host_that_stops_hands_on_what_it_does_not_take() -> None:
    async def case() -> None:
        async with net() as n:
            node, entity = n.nodes[0], n.entity_of(1)
            n.nodes[1].committer.hold_commits = True
            taken = asks(node, [1], entity)
            await settle()
            draining = asyncio.create_task(n.nodes[1].host.drain(1))
            await settle()
            refused = asks(node, [2, 4], entity)
            await settle()
            assert node.router.parked == 2
            n.nodes[1].committer.hold_commits = False
            await n.nodes[1].committer.release()
            assert await draining
            assert totals(taken) == [1]
            later = asks(node, [8], entity)
            await back(n)
            assert totals([*refused, *later]) == [3, 7, 15]

    run(case())


def test_order_is_kept_when_a_host_begins_to_serve_in_between() -> None:
    async def case() -> None:
        async with net() as n:
            node, entity = n.nodes[0], n.entity_of(1)
            await n.replace(1, start=False)
            n.introduce()
            n.held = True
            asked = asks(node, [1], entity)
            await settle()
            asked += asks(node, [2], entity)
            await settle()
            first, second = n.parcels
            first.arrive()  # refused: it does not serve yet
            await n.start(n.nodes[1])
            second.arrive()  # it would be taken, but for the one before it
            first.tell()
            second.tell()
            n.held = False
            n.parcels = n.parcels[2:]
            await n.deliver()
            other = asks(node, [16], n.entity_of(1, 1))
            asked += asks(node, [4], entity)
            await n.clock.advance(RETRY_MS + 2 * TICK_MS)
            assert totals(asked) == [1, 3, 7]
            assert totals(other) == [16]

    run(case())


def test_the_first_of_a_line_looks_whether_there_is_an_owner() -> None:
    async def case() -> None:
        async with net() as n:
            node, entity = n.nodes[0], n.entity_of(1)
            await n.replace(1, start=False)
            n.introduce()
            asked = asks(node, [1, 2, 4], entity)
            await settle()
            assert node.router.parked == 3
            sent = node.links.stats()[1].batches
            await n.clock.advance(RETRY_MS)
            assert node.links.stats()[1].batches == sent + 1
            assert node.router.parked == 3
            await n.start(n.nodes[1])
            await n.clock.advance(RETRY_MS + TICK_MS)
            assert totals(asked) == [1, 3, 7]

    run(case())


def test_only_a_newer_table_counts() -> None:
    async def case() -> None:
        async with net() as n:
            router = n.nodes[0].router
            other = HomeTable(1, ((1,),) * SHARDS)
            before = [router.homes(shard) for shard in range(SHARDS)]
            router.update(other)
            assert [router.homes(shard) for shard in range(SHARDS)] == before
            router.update(msgspec.structs.replace(other, version=2))
            assert [router.homes(shard) for shard in range(SHARDS)] == list(other.homes)
            with pytest.raises(ValueError, match="1 shards for a service of 16"):
                router.update(HomeTable(3, ((0,),)))

    run(case())


def test_what_is_under_way_to_the_former_home_holds_back_what_follows_it() -> None:
    async def case() -> None:
        async with net(3) as n:
            node, entity = n.nodes[0], n.entity_of(1)
            other = n.entity_of(2)
            n.nodes[1].committer.hold_commits = True
            first = asks(node, [1], entity)
            await settle()
            shard = shard_of(COUNTER, entity, SHARDS)
            homes = list(n.table.homes)
            homes[shard] = (2,)
            node.router.update(HomeTable(2, tuple(homes)))
            second = asks(node, [2], entity)
            third = asks(node, [4], other)
            await n.clock.advance(1_000)
            assert totals(third) == [4]
            assert node.router.parked == 1
            n.nodes[1].committer.hold_commits = False
            await n.nodes[1].committer.release()
            assert totals(first) == [1]
            await settle()
            assert node.router.parked == 1, "store 2 does not have the shard open"
            homes[shard] = (1,)
            node.router.update(HomeTable(3, tuple(homes)))
            await settle()
            assert totals(second) == [3]

    run(case())


def test_a_store_that_is_fenced_off_says_why_at_once_until_it_is_back() -> None:
    async def case() -> None:
        async with net() as n:
            node, entity = n.nodes[0], n.entity_of(1)
            await away(n)
            asked = asks(node, [1], entity)
            await settle()
            node.router.fence(1, "it died five times")
            asked += asks(node, [2], entity)
            here = asks(node, [3], n.entity_of(0))
            await settle()
            for each in asked:
                failure = each.result().failure
                assert failure is not None
                assert (failure.number, failure.outcome) == ("AK3004", "not_executed")
                assert failure.message == "store 1 is not served: it died five times"
            assert totals(here) == [3]
            await back(n)
            again = asks(node, [4], entity)
            await n.clock.advance(RETRY_MS + TICK_MS)
            assert totals(again) == [4]

    run(case())


def test_a_process_that_ends_waits_for_nobody() -> None:
    async def case() -> None:
        async with net() as n:
            node, entity = n.nodes[0], n.entity_of(1)
            await away(n)
            asked = asks(node, [1], entity)
            await settle()
            node.router.drain()
            asked += asks(node, [2], entity)
            await settle()
            assert [number_of(each.result()) for each in asked] == ["AK3004", "AK3004"]

    run(case())


def test_a_message_that_was_sent_again_is_not_waited_for_any_longer_than_others() -> None:
    async def case() -> None:
        async with net() as n:
            node, entity = n.nodes[0], n.entity_of(1)
            await away(n)
            asked = asks(node, [1], entity)
            query = node.query(entity)
            await n.clock.advance(1_000)
            await n.replace(1)
            n.nodes[1].committer.hold_commits = n.nodes[1].committer.hold_reads = True
            n.introduce()
            await n.clock.advance(4_000 - TICK_MS)
            assert not asked[0].done()
            await n.clock.advance(3 * TICK_MS)
            assert number_of(asked[0].result()) == "AK3101", "it may have begun"
            assert number_of(query.result()) == "AK3005"

    run(case())


def test_a_caller_who_goes_away_takes_along_what_was_sent_again_and_has_not_left() -> None:
    async def case() -> None:
        async with net(batches_in_flight_max=1) as n:
            node, entity = n.nodes[0], n.entity_of(1)
            await away(n)
            large = node.ask("add", "1".rjust(70_000), entity)
            small = node.ask("add", 2, entity)
            await settle()
            await n.replace(1)
            n.held = True
            n.introduce()
            await settle()
            assert node.router.parked == 0
            small.cancel()
            await settle()
            n.held = False
            await n.deliver()
            assert total_of(large.result()) == 1
            query = node.query(entity)
            await settle()
            assert total_of(query.result()) == 1
            assert node.router._waits == {}
            assert node.router._sent == {}
            assert node.router._turned == {}

    run(case())


def test_a_message_on_the_straight_way_costs_nothing_more() -> None:
    async def case() -> None:
        async with net() as n:
            node, entity = n.nodes[0], n.entity_of(0)
            asked = asks(node, [1, 2], entity)
            asked.append(node.ask("tell", "", entity, kind=MessageKind.QUERY))
            asked.append(node.ask("refuse", "", entity))
            await settle()
            router = node.router
            assert number_of(asked[3].result()) == "AK2001"
            assert (router._lines, router._sent, router._turned, router._due) == ({}, {}, {}, set())
            assert not router._desk.pending

    run(case())
