"""Topics through the ways of operators: from the controller to hosts, and to partitions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from actorkalix import Action, Limits, Service, subscribe, topic
from actorkalix.describe.topics import topics_of
from actorkalix.errors import InvalidIdempotencyKey, OwnerAway, UnknownRoute
from actorkalix.ports import HostMethod, PublishedView, PublishOrder
from actorkalix.runtime.fanout import LocalCalls
from actorkalix.runtime.topics import Topics, topic_methods
from actorkalix.testkit import TestService
from actorkalix_storage.api import HomeTable

HOMES = HomeTable(1, tuple((shard % 2,) for shard in range(1_024)))
PARTITIONS = 8


class Reader(Action, id="topics-reader", runs="inline"):
    seen: list[tuple[str, Any]] = []

    @subscribe(topic("orders"))
    async def on_order(self, order: Any) -> None:
        self.seen.append((self.context.metadata["ce-type"], order))

    @subscribe(topic("quiet"))
    async def on_quiet(self, data: bytes) -> None: ...


service = Service("shop", components=[Reader], limits=Limits(topic_partitions=PARTITIONS))
Case = Callable[[TestService, Topics, dict[int, dict[str, HostMethod]]], Coroutine[Any, Any, None]]


def run(case: Case) -> None:
    async def whole() -> None:
        Reader.seen = []
        async with TestService(service) as running:
            methods = {store: dict(topic_methods(running, PARTITIONS)) for store in (0, 1)}
            names = topics_of(service.descriptor)
            await case(
                running,
                Topics(names, service.limits, {}, LocalCalls(methods), lambda: HOMES),
                methods,
            )

    asyncio.run(whole())


def test_what_is_published_is_counted_and_taken() -> None:
    async def case(running: TestService, topics: Topics, _: object) -> None:
        order = PublishOrder({"cents": 1}, "s", type="Order", metadata={"shop": "north"})
        first = await topics.publish("orders", order)
        assert await topics.publish("orders", order) == PublishedView("orders", first.partition, 2)
        for number in range(20):
            await topics.publish("orders", PublishOrder(f"note {number}"))
        found = await running.topic("orders").messages()
        assert len(found) == len(Reader.seen) == 22
        assert ("Order", {"cents": 1}) in Reader.seen
        assert ("", "note 3") in Reader.seen
        assert {one.metadata["ce-source"] for one in found} == {"admin"}
        orders, quiet = await topics.listed()
        assert (orders.name, sum(orders.partitions), len(orders.partitions)) == ("orders", 22, 8)
        assert min(orders.partitions) < 4 < max(orders.partitions) + 3
        assert (quiet.name, sum(quiet.partitions)) == ("quiet", 0)

    run(case)


def test_an_id_is_published_once() -> None:
    async def case(running: TestService, topics: Topics, _: object) -> None:
        first = await topics.publish("orders", PublishOrder(1, id="m1"))
        assert await topics.publish("orders", PublishOrder(2, id="m1")) == first

    run(case)


def test_what_cannot_be_done_is_an_error() -> None:
    async def case(
        running: TestService, topics: Topics, methods: dict[int, dict[str, HostMethod]]
    ) -> None:
        with pytest.raises(UnknownRoute, match="no topic 'ordres'; there are orders, quiet"):
            await topics.publish("ordres", PublishOrder(1))
        with pytest.raises(InvalidIdempotencyKey):
            await topics.publish("orders", PublishOrder(1, id="x" * 129))
        del methods[1]
        with pytest.raises(OwnerAway):
            await topics.listed()

    run(case)
