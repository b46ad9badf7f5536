"""Which host reads and writes what; no broker is spoken to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actorkalix import Action, Service, publish, subscribe, topic
from actorkalix.brokers import Broker, Embedded, Kafka, Nats
from actorkalix.runtime import broker_links
from actorkalix.runtime.broker_links import BrokerLinks
from actorkalix_cluster.shardhost.messages import Message, Reply


class Passing(Action, id="passing", runs="inline"):
    @subscribe(topic("orders"))
    @publish(topic("shipments"))
    async def on_order(self, order: str) -> str:
        return order

    @subscribe(topic("notes"))
    async def on_note(self, note: str) -> None: ...

    @subscribe(topic("within"))
    async def on_within(self, note: str) -> None: ...


KAFKA, NATS = Kafka("k:1"), Nats("n:1")
BROKERS: dict[str, Broker] = {"within": Embedded(), "notes": NATS, "*": KAFKA}
service = Service("links", components=[Passing], brokers=BROKERS)


class Nobody:
    async def ask(self, message: Message, /) -> Reply:
        raise AssertionError("nothing is taken here")


class Reader:
    """Stands for a reader of a broker, and notes that it was started."""

    made: list[tuple[str, Any]] = []

    def __init__(self, config: Broker, *what: Any) -> None:
        self._what = (type(config).__name__, what)

    def start(self) -> None:
        self.made.append(self._what)

    async def aclose(self) -> None:
        self.made.remove(self._what)


@pytest.mark.parametrize("first", [True, False])
def test_who_reads(first: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_links, "KafkaReader", Reader)
    monkeypatch.setattr(broker_links, "NatsReader", Reader)

    async def case() -> None:
        links = BrokerLinks(service, lambda: 0)
        assert links.topics == {"orders", "shipments", "notes"}
        assert [one.topic for one in links.publishing] == ["notes", "orders", "shipments"]
        links.start(Nobody(), first=first)
        kinds = sorted(kind for kind, _ in Reader.made)
        assert kinds == (["Kafka", "Nats"] if first else ["Kafka"])
        (states,) = [what[1] for kind, what in Reader.made if kind == "Kafka"]
        assert list(states) == ["orders"]
        views = {view.consumer: view.source for view in links.views()}
        assert views["~to:shipments"] == "kafka k:1 shipments"
        assert views["~from:orders"] == "kafka k:1 orders"
        assert ("~from:notes" in views) == first
        await links.aclose()
        assert Reader.made == []

    asyncio.run(case())


def test_a_service_without_such_topics_has_nothing_to_do() -> None:
    async def case() -> None:
        links = BrokerLinks(Service("plain", components=[Passing]), lambda: 0)
        links.start(Nobody(), first=True)
        assert (links.topics, links.publishing, links.views()) == (frozenset(), [], [])
        await links.aclose()

    asyncio.run(case())
