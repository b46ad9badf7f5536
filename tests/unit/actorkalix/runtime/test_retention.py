"""Messages go when their time is over or they are too many; who was behind is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorkalix import Action, Limits, Service, subscribe, topic
from actorkalix.brokers import Broker, Embedded, Kafka
from actorkalix.describe.topics import topics_of
from actorkalix.engine.topic import TOPIC, Size, Trim
from actorkalix.runtime.fanout import LocalCalls
from actorkalix.runtime.retention import Keeping, Retention, first_to_stay, keeping
from actorkalix.runtime.topics import Topics, topic_methods
from actorkalix.testkit import TestService
from actorkalix_cluster.shardhost.committer import InlineCommitter
from actorkalix_cluster.shardhost.observer import ConsumerStats
from actorkalix_cluster.shardhost.progress import Entry
from actorkalix_storage.api import HomeTable, Position, Record, RecordKind
from actorkalix_storage.lmdbstore import LmdbStore, Options, open_store

DAY = timedelta(days=1)
LIMITS = Limits(topic_partitions=1)
HOMES = HomeTable(1, ((0,),) * 1_024)


class Billing(Action, id="billing", runs="inline"):
    seen: list[str] = []
    fails = False

    @subscribe(topic("orders"))
    async def on_order(self, order: str) -> None:
        if self.fails:
            raise RuntimeError("the till is away")
        self.seen.append(order)


BROKERS: dict[str, Broker] = {"orders": Embedded(kept=7 * DAY, bytes_max=10_000)}
service = Service("retained", components=[Billing], limits=LIMITS, brokers=BROKERS)


class Running:
    """A service on a store on disk, whose log is reclaimed at once."""

    def __init__(self, running: TestService, store: LmdbStore) -> None:
        self.running = running
        self.store = store

    async def publish(self, *texts: str, **options: Any) -> None:
        for text in texts:
            await self.running.topic("orders").publish(text, subject="s", **options)
        await self.running.advance(timedelta(0))

    async def trim(self) -> int:
        assert self.running._host is not None
        retention = Retention(
            *(["orders"], BROKERS, LIMITS),
            ask=self.running,
            store=self.store,
            committer=InlineCommitter(self.store),
            clock=self.running._clock,
        )
        return await retention.run(self.running._host.owns)

    async def reclaim(self) -> None:
        self.store.checkpoint()
        while self.store.maintain(self.running.now_ms):
            pass

    async def left(self) -> list[str]:
        return [one.data.decode() for one in await self.running.topic("orders").messages()]

    async def listed(self) -> tuple[int, int]:
        methods = {0: dict(topic_methods(self.running, 1))}
        names = topics_of(service.descriptor)
        topics = Topics(names, LIMITS, BROKERS, LocalCalls(methods), lambda: HOMES)
        (view,) = await topics.listed()
        assert (view.kept_s, view.bytes_max, view.broker) == (604_800, 10_000, "embedded")
        return sum(view.partitions), view.dropped

    def stats(self) -> ConsumerStats:
        assert self.running._host is not None
        found = self.running._host.stats().consumers
        return next(one for one in found if one.consumer == "billing:orders")


def run(path: Path, case: Callable[[Running], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        Billing.seen, Billing.fails = [], False
        options = Options(check=False, checkpoint_records=1, compact_bytes=0, compact_percent=0)
        store = open_store(
            path, service="retained", shards=1_024, cluster="0" * 32, number=0, options=options
        )
        running = TestService(service)
        vars(running)["_store"] = store
        async with running:
            await case(Running(running, store))

    asyncio.run(whole())


def test_old_messages_go(tmp_path: Path) -> None:
    async def case(one: Running) -> None:
        await one.publish("1", "2", "3")
        await one.running.advance(4 * DAY)
        await one.publish("4")
        assert await one.trim() == 0
        await one.running.advance(4 * DAY)
        assert await one.trim() == 3
        assert await one.trim() == 0
        await one.reclaim()
        assert await one.left() == ["4"]
        assert await one.listed() == (1, 3)
        assert Billing.seen == ["1", "2", "3", "4"]
        assert one.stats().gaps == 0

    run(tmp_path, case)


def test_the_oldest_go_where_there_are_too_many(tmp_path: Path) -> None:
    async def case(one: Running) -> None:
        texts = [f"{n}" * 1_000 for n in range(1, 10)]
        await one.publish(*texts, *texts)
        assert await one.trim() == 9
        await one.reclaim()
        assert await one.left() == texts
        await one.publish("last")
        assert await one.trim() == 0
        assert await one.listed() == (10, 9)

    run(tmp_path, case)


def test_an_id_of_what_was_dropped_is_known(tmp_path: Path) -> None:
    async def case(one: Running) -> None:
        await one.publish("a" * 9_000, id="m1")
        await one.publish("b" * 9_000, id="m2")
        assert await one.trim() == 1
        await one.reclaim()
        await one.publish("again", id="m1")
        assert await one.left() == ["b" * 9_000]
        assert len(Billing.seen) == 2

    run(tmp_path, case)


def test_who_is_behind_is_told_what_it_has_missed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def case(one: Running) -> None:
        await one.publish("1")
        Billing.fails = True
        await one.publish("2", "3" * 4_000, "4" * 4_000)
        assert one.stats().parked == 1
        await one.publish("5" * 9_000)
        assert await one.trim() == 4
        await one.reclaim()
        Billing.fails = False
        await one.running.advance(timedelta(minutes=1))
        assert Billing.seen == ["1", "5" * 9_000]
        found = one.stats()
        assert (found.gaps, found.parked) == (1, 0)
        assert found.gap == "messages up to 4 of orders/0 were dropped before they were handled"
        assert "billing:orders has missed something" in caplog.text

    run(tmp_path, case)


def test_what_a_topic_keeps() -> None:
    limits = Limits(topic_partitions=4)
    brokers: dict[str, Broker] = {"a": Embedded(kept=DAY), "*": Kafka("k:1", bytes_max=400)}
    assert keeping("a", brokers, limits, 86_400_000) == Keeping(0, limits.topic_bytes_max // 4)
    week = 7 * 86_400_000
    assert keeping("b", brokers, limits, week + 5) == Keeping(5, 100)


def _message(number: int, time_ms: int, size: int) -> Record:
    return Record(RecordKind.EVENT, TOPIC, "o/0", number, time_ms, b"x" * size)


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), max_size=30),
    st.integers(0, 60),
    st.integers(1, 400),
    st.integers(1, 7),
)
def test_what_stays_is_young_and_fits(
    messages: list[tuple[int, int]], since_ms: int, bytes_max: int, page: int
) -> None:
    times = sorted(time for time, _ in messages)
    entries = [
        Entry(0, Position(1, 1, 10 + at), at, _message(at, t, s))
        for at, (t, (_, s)) in enumerate(zip(times, messages, strict=True), 1)
    ]
    size = Size(len(entries), sum(s for _, s in messages))
    keep, dropped, stays = Keeping(since_ms, bytes_max), Trim(0, 0, 0), False
    for at in range(0, len(entries), page):
        dropped, stays = first_to_stay(size, entries[at : at + page], keep, dropped)
        if stays:
            break
    left = entries[dropped.number :]
    assert stays == bool(left)
    assert all(e.record.time_ms >= since_ms for e in left)
    assert sum(len(e.record.payload) for e in left) <= bytes_max
    assert dropped.bytes == sum(len(e.record.payload) for e in entries[: dropped.number])
    if dropped.number:
        last = entries[dropped.number - 1]
        too_many = sum(len(e.record.payload) for e in (last, *left)) > bytes_max
        assert last.record.time_ms < since_ms or too_many
        assert dropped.offset == last.position.offset
