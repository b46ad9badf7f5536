"""Commands of several parts under a key each: all at once, or none of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec

from actorkalix.engine.topic import (
    TOPIC,
    Published,
    TopicBehavior,
    TopicMessage,
    publish_order,
    read_published,
)
from actorkalix.engine.topic_parts import apart, together
from actorkalix.limits import Limits
from actorkalix.runtime.virtual import VirtualClock, settle
from actorkalix_cluster.placement import shard_of
from actorkalix_cluster.shardhost.host import ShardHost
from actorkalix_cluster.shardhost.limits import HostLimits
from actorkalix_cluster.shardhost.messages import SEVERAL, Message, MessageKind, Reply
from actorkalix_cluster.shardhost.several import KNOWN
from actorkalix_cluster.shardhost.ticket import Ticket
from actorkalix_storage.api import RecordKind
from actorkalix_storage.memorystore import MemoryStore
from tests.unit.cluster.shardhost.counter import COUNTER, CounterBehavior
from tests.unit.cluster.shardhost.rig import SHARDS, HeldCommitter, new_store, run, total_of

DAY_MS = 86_400_000


class Topics:
    """A host with a topic of one partition."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.clock = VirtualClock()
        self.committer = HeldCommitter(store)
        self.host = ShardHost(
            store,
            {TOPIC: TopicBehavior(Limits()), COUNTER: CounterBehavior()},
            clock=self.clock,
            limits=HostLimits(),
            committer=self.committer,
        )

    def publish(self, *ids: str) -> Ticket:
        """Publish messages, alone or together."""
        orders = [order(each) for each in ids]
        return self.host.send(orders[0] if len(orders) == 1 else together(orders))

    def stored(self) -> list[str]:
        """Data of what the partition has."""
        shard = shard_of(TOPIC, "orders/0", SHARDS)
        page = self.store.history(shard, TOPIC, "orders/0", limit=1_000)
        decode = msgspec.msgpack.Decoder(TopicMessage).decode
        events = [each.record for each in page if each.record.kind is RecordKind.EVENT]
        return [decode(record.payload).data.decode() for record in events]


def order(id: str) -> Message:
    """`id` is the data too, without what follows a dash: "-a" has no id."""
    made = TopicMessage("T", "s", id.partition("-")[0], "here", "text/plain", (), id.encode())
    return publish_order("orders", made, 1)


@asynccontextmanager
async def topics() -> AsyncGenerator[Topics]:
    made = Topics(new_store())
    await made.host.start()
    await settle()
    yield made
    await made.host.stop()


def numbers(reply: Reply | None, count: int) -> list[int]:
    assert reply is not None
    assert reply.failure is None, reply.failure
    return [read_published(each).number for each in apart(reply.payload, count)]


def refused(reply: Reply | None) -> bool:
    """It was refused for one of its parts, and told as not executed."""
    assert reply is not None
    failure = reply.failure
    assert failure is not None
    assert (failure.number, failure.outcome) == ("AK3006", "not_executed")
    return failure.message.endswith(KNOWN)


def test_all_parts_are_one_append() -> None:
    async def case() -> None:
        async with topics() as t:
            assert numbers(await t.publish("a", "-b", "c").wait(), 3) == [1, 2, 3]
            before = len(t.committer.batches)
            assert numbers(await t.publish("d", "e").wait(), 2) == [4, 5]
            assert len(t.committer.batches) == before + 1
            assert t.stored() == ["a", "-b", "c", "d", "e"]

    run(case())


def test_nothing_is_done_when_a_part_is_known() -> None:
    async def case() -> None:
        async with topics() as t:
            await t.publish("a", "b").wait()
            assert refused(await t.publish("c", "b").wait())
            again = await t.publish("b-other").wait()
            assert again.replayed
            assert read_published(again.payload) == Published(0, 2)
            assert numbers(await t.publish("c", "d").wait(), 2) == [3, 4]
            await t.clock.advance(DAY_MS + 1, lambda: not t.host.idle)
            assert numbers(await t.publish("e", "b").wait(), 2) == [5, 6], "keys count for a day"

    run(case())


def test_parts_on_their_way_are_at_work() -> None:
    async def case() -> None:
        async with topics() as t:
            await t.publish("-first").wait()
            t.committer.hold_commits = True
            together_ = t.publish("a", "b")
            await settle()
            alone, clash, other = t.publish("b-alone"), t.publish("c", "a"), t.publish("d", "e")
            await settle()
            assert (together_.reply, alone.reply, other.reply) == (None, None, None)
            assert refused(clash.reply)
            await t.committer.release()
            assert numbers(together_.reply, 2) == [2, 3]
            assert alone.reply is not None
            assert alone.reply.replayed
            assert read_published(alone.reply.payload) == Published(0, 3)
            await t.committer.release()
            assert numbers(other.reply, 2) == [4, 5]
            assert t.stored() == ["-first", "a", "b", "d", "e"]

    run(case())


def test_keys_are_at_work_while_the_store_is_asked() -> None:
    async def case() -> None:
        async with topics() as t:
            await t.publish("-first").wait()
            t.committer.hold_reads = True
            together_ = t.publish("a", "b")
            alone, clash = t.publish("a-alone"), t.publish("b", "c")
            assert refused(clash.reply)
            await t.committer.release()
            t.committer.hold_reads = False
            await t.committer.release()
            assert numbers(together_.reply, 2) == [2, 3]
            assert alone.reply is not None
            assert read_published(alone.reply.payload) == Published(0, 2)
            assert t.stored() == ["-first", "a", "b"]

    run(case())


def test_one_that_is_dropped_while_the_store_is_asked_leaves_the_key_to_the_next() -> None:
    async def case() -> None:
        async with topics() as t:
            await t.publish("-first").wait()
            t.committer.hold_reads = True
            together_, alone = t.publish("a", "b"), t.publish("a-alone")
            assert together_.drop()
            await t.committer.release()
            t.committer.hold_reads = False
            await t.committer.release()
            assert alone.reply is not None
            assert read_published(alone.reply.payload) == Published(0, 2)
            assert t.stored() == ["-first", "a-alone"]

    run(case())


def test_what_is_no_list_is_refused() -> None:
    async def case() -> None:
        async with topics() as t:
            message = msgspec.structs.replace(together([order("a"), order("b")]), payload=b"")
            reply = await t.host.ask(message)
            assert reply.failure is not None
            assert reply.failure.number == "AK2002"

    run(case())


def test_an_actor_without_parts_takes_the_word_as_any_key() -> None:
    async def case() -> None:
        async with topics() as t:
            add = Message(MessageKind.COMMAND, COUNTER, "a", "add", b"5", key=SEVERAL)
            for _ in range(2):
                assert total_of(await t.host.ask(add)) == 5

    run(case())
