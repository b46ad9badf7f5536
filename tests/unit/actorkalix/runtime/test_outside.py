"""What is published to a topic outside is queued, and handed to its writer until it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from actorkalix import (
    Action,
    Effect,
    Service,
    ValueEntity,
    command,
    handler,
    publish,
    subscribe,
    topic,
)
from actorkalix.brokers import Broker, Embedded, Kafka, Nats
from actorkalix.engine.sending import SENDING
from actorkalix.model.client import Client
from actorkalix.runtime.actions import Surroundings, run_inline
from actorkalix.runtime.composition import build_host
from actorkalix.runtime.dispatch import Dispatch
from actorkalix.runtime.in_process import HostTransport, LoneHost
from actorkalix.runtime.outside import Outgoing, Publishing, consumer_of, outside_topics
from actorkalix.runtime.resources import Resources
from actorkalix.runtime.virtual import VirtualClock
from actorkalix_cluster.shardhost.committer import InlineCommitter
from actorkalix_cluster.shardhost.host import ShardHost
from actorkalix_storage.api import StoreIdentity
from actorkalix_storage.memorystore import MemoryStore


class Count(ValueEntity[int], id="outside-count"):
    def empty_state(self) -> int:
        return 0

    @command
    def add(self) -> Effect[int]:
        return self.effects.update_state(self.state + 1).then_reply(lambda count: count)


class Shipping(Action, id="shipping", runs="inline"):
    @subscribe(Count)
    @publish(topic("counts"))
    async def on_count(self, count: int) -> str:
        return f"{self.context.subject} {count}"

    @handler
    @publish(topic("notes"))
    async def note(self, text: str) -> str:
        return text

    @subscribe(topic("within"))
    async def on_within(self, text: str) -> None: ...


BROKERS: dict[str, Broker] = {"counts": Kafka("k:1"), "notes": Nats("n:1"), "*": Embedded()}
service = Service("outside", components=[Count, Shipping], brokers=BROKERS)


class Writer:
    """Keeps what it is handed, while it is not away."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        self.away = False

    async def send(self, topic: str, messages: Sequence[Outgoing], /) -> None:
        if self.away:
            raise ConnectionError(f"{topic} is away")
        self.sent += messages

    @property
    def texts(self) -> list[str]:
        return [one.message.data.decode() for one in self.sent]


class World:
    """A host that publishes with two writers."""

    def __init__(self) -> None:
        self.counts, self.notes = Writer(), Writer()
        self.clock = VirtualClock()
        self.store = MemoryStore(StoreIdentity("0" * 32, "outside", 0, 16, 1))

    async def start(self) -> None:
        limits = service.limits
        self.host: ShardHost = build_host(
            service.descriptor,
            self.store,
            clock=self.clock,
            committer=InlineCommitter(self.store),
            publishing=[Publishing("counts", self.counts), Publishing("notes", self.notes)],
        )
        outside = frozenset(outside_topics(service))
        self.dispatch = Dispatch(LoneHost(self.host), self.clock, limits, outside)
        around = Surroundings(self.dispatch, self.clock, limits, Resources("outside", None))
        run_inline(self.dispatch, service.descriptor, around)
        await self.host.start()
        self.host.connect(self.dispatch)
        self.client = Client._over(HostTransport(self.dispatch, self.clock))

    async def pass_time(self, by: timedelta = timedelta(0)) -> None:
        await self.clock.advance(by // timedelta(milliseconds=1), lambda: not self.host.idle)

    async def again(self) -> None:
        """Kill the host, and start another on what was stored."""
        self.host.abandon()
        self.store = self.store.crash()
        await self.start()


def run(case: Callable[[World], Awaitable[None]]) -> None:
    async def whole() -> None:
        world = World()
        await world.start()
        await case(world)
        await world.dispatch.aclose()
        await world.host.stop()

    asyncio.run(whole())


def test_which_topics_are_outside() -> None:
    assert outside_topics(service) == {"counts": BROKERS["counts"], "notes": BROKERS["notes"]}
    assert consumer_of("notes") == "~to:notes"


def test_what_a_subscription_publishes_arrives_in_order() -> None:
    async def case(world: World) -> None:
        for _ in range(5):
            for name in ("a", "b"):
                await world.client.entity(Count, name).add()
                await world.pass_time()
        for name in ("a", "b"):
            mine = [text for text in world.counts.texts if text.startswith(name)]
            assert mine == [f"{name} {n}" for n in range(1, 6)]
        assert len({one.message.id for one in world.counts.sent}) == 10
        assert {one.message.subject for one in world.counts.sent} == {"a", "b"}
        assert world.notes.sent == []

    run(case)


def test_a_broker_that_is_away_holds_up_nobody() -> None:
    async def case(world: World) -> None:
        world.notes.away = True
        for number in range(3):
            await world.client.action(Shipping).note(f"note {number}")
        await world.client.entity(Count, "a").add()
        await world.pass_time(timedelta(seconds=5))
        assert (world.counts.texts, world.notes.texts) == (["a 1"], [])
        stats = {one.consumer: one for one in world.host.stats().consumers}
        assert "notes is away" in stats["~to:notes"].failure
        assert stats["~outbox"].failures == 0
        await world.again()
        await world.pass_time(timedelta(seconds=5))
        assert world.notes.texts == []
        world.notes.away = False
        await world.pass_time(timedelta(minutes=1))
        assert sorted(world.notes.texts) == ["note 0", "note 1", "note 2"]
        assert all(one.message.id for one in world.notes.sent)
        assert all(one.queue.startswith("@notes/") for one in world.notes.sent)

    run(case)


def test_what_is_queued_has_an_id_that_stays() -> None:
    async def case(world: World) -> None:
        await world.client.action(Shipping).note("once")
        await world.pass_time()
        (first,) = world.notes.sent
        publishing = Publishing("notes", world.notes)
        records = [
            (shard, stored)
            for shard in range(16)
            for stored in world.store.records(shard, 0)
            if publishing.wants(stored.record)
        ]
        assert [stored.record.component for _, stored in records] == [SENDING]
        assert first.time_ms == records[0][1].record.time_ms
        await world.again()
        await world.pass_time(timedelta(minutes=1))
        assert {one.message.id for one in world.notes.sent} == {first.message.id}

    run(case)
