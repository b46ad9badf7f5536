"""A roll becomes links and routes; `test_on_ray` has two hosts that speak to each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import msgspec

from actorkalix.limits import Limits
from actorkalix.runtime.composition import build_host
from actorkalix.runtime.neighbours import Neighbours
from actorkalix.runtime.virtual import VirtualClock, settle
from actorkalix_cluster.placement import shard_of
from actorkalix_cluster.rayhost.contract import Assignment, Roll
from actorkalix_cluster.shardhost.committer import InlineCommitter
from actorkalix_cluster.shardhost.messages import Message, MessageKind
from actorkalix_storage.api import HomeTable, StoreIdentity
from actorkalix_storage.memorystore import MemoryStore
from tests.unit.actorkalix.runtime.shop import service

SHARDS = 16
HOMES = HomeTable(1, tuple((shard % 2,) for shard in range(SHARDS)))
ENCODED = msgspec.msgpack.encode(HOMES)
ELSEWHERE = next(f"c{n}" for n in range(99) if shard_of("cart", f"c{n}", SHARDS) % 2 == 1)


class Way:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.batches: list[bytes] = []

    def send(self, batch: bytes, done: Callable[[Exception | None], object]) -> None:
        """It arrives."""
        self.batches.append(batch)
        done(None)


def neighbours(clock: VirtualClock) -> Neighbours:
    """Of a host with store 0."""
    store = MemoryStore(StoreIdentity("c" * 32, "shop", 0, SHARDS, 1))
    limits = Limits()
    host = build_host(
        service.descriptor,
        store,
        shards=HOMES.of_store(0),
        clock=clock,
        committer=InlineCommitter(store),
    )
    return Neighbours(Assignment(0, 5, b""), host, HOMES, clock, limits)


def question() -> Message:
    """For an entity of the other store."""
    return Message(MessageKind.QUERY, "cart", ELSEWHERE, "get")


def test_messages_leave_when_a_way_is_known_and_an_old_roll_says_nothing() -> None:
    async def scenario() -> None:
        others = neighbours(VirtualClock())
        way, newer = Way(), Way()
        asking = asyncio.create_task(others.router.ask(question()))
        await settle()
        assert not asking.done(), "who is away may come back"
        others.enroll(Roll(2, {0: 5, 1: 6}, {}, ENCODED), {1: way})
        await settle()
        assert len(way.batches) == 1
        others.enroll(Roll(1, {0: 5}, {}, ENCODED), {})
        others.enroll(Roll(3, {0: 5, 1: 7}, {}, ENCODED), {1: newer})
        await settle()
        assert len(newer.batches) == 1, "a query whose host has ended is asked again"
        asking.cancel()

    asyncio.run(scenario())


def test_a_fenced_store_is_answered_for_at_once() -> None:
    async def scenario() -> None:
        others = neighbours(VirtualClock())
        others.enroll(Roll(1, {0: 5}, {1: "it kills its hosts"}, ENCODED), {})
        reply = await others.router.ask(question())
        assert reply.failure is not None
        assert reply.failure.number == "AK3004"
        assert "it kills its hosts" in reply.failure.message

    asyncio.run(scenario())


def test_an_owner_that_stays_away_is_told_before_the_caller_gives_up() -> None:
    async def scenario() -> None:
        clock = VirtualClock()
        others = neighbours(clock)
        asking = asyncio.create_task(others.router.ask(question()))
        await settle()
        await clock.advance(4_700)
        reply = await asking
        assert reply.failure is not None
        assert (reply.failure.number, reply.failure.outcome) == ("AK3004", "not_executed")
        assert Limits().owner_wait < Limits().ask_timeout == timedelta(seconds=5)

    asyncio.run(scenario())


def test_what_has_left_is_flushed_and_who_is_away_is_not_waited_for() -> None:
    async def scenario() -> None:
        others = neighbours(VirtualClock())
        await others.flushed(1.0)
        others.enroll(Roll(1, {0: 5, 1: 6}, {}, ENCODED), {1: Way()})
        asking = asyncio.create_task(others.router.ask(question()))
        await settle()
        await others.flushed(1.0)
        asking.cancel()

    asyncio.run(scenario())
