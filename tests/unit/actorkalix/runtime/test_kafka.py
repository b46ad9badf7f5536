"""Kafka's protocol, against librdkafka's mock of a cluster, over TCP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

import pytest

from actorkalix.brokers import Kafka, Tls
from actorkalix.engine.binding import Incoming
from actorkalix.engine.topic import TopicMessage
from actorkalix.runtime import kafka as adapter
from actorkalix.runtime.broker_state import BrokerState
from actorkalix.runtime.extras import library_of
from actorkalix.runtime.kafka import KafkaReader, KafkaWriter, NotSent, client_options
from actorkalix.runtime.outside import Outgoing

WAIT_S = 60


@pytest.fixture(scope="module")
def servers() -> Iterator[str]:
    library = library_of(Kafka)
    mock = library.Producer(
        {"bootstrap.servers": "mock", "test.mock.num.brokers": 3, "log_level": 0}
    )
    brokers = mock.list_topics(timeout=WAIT_S).brokers.values()
    yield ",".join(f"{one.host}:{one.port}" for one in brokers)
    mock.flush(1)


class Taken:
    """Keeps what a reader takes; fails while it is told to."""

    def __init__(self) -> None:
        self.messages: list[Incoming] = []
        self.failures = 0
        self._more = asyncio.Condition()

    async def take(self, topic: str, source: str, messages: Sequence[Incoming]) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the store is away")
        async with self._more:
            self.messages += messages
            self._more.notify_all()

    async def wait_for(self, count: int) -> list[Incoming]:
        async with asyncio.timeout(WAIT_S), self._more:
            await self._more.wait_for(lambda: len(self.messages) >= count)
        return self.messages


def state(topic: str) -> dict[str, BrokerState]:
    return {topic: BrokerState(topic, f"kafka {topic}", lambda: 5)}


def outgoing(number: int, subject: str = "s") -> Outgoing:
    made = TopicMessage("T", subject, f"m{number}", "here", "text/plain", (), b"%d" % number)
    return Outgoing("@q", 1_000, made)


def run(case: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(case(), WAIT_S))


def test_what_is_written_is_read_and_committed(servers: str) -> None:
    async def case() -> None:
        config = Kafka(servers, prefix="shop.")
        writer = KafkaWriter(config, "shop", state("orders"))
        for number in range(0, 60, 20):
            some = [outgoing(n, f"s{n % 3}") for n in range(number, number + 20)]
            await writer.send("orders", some)
        first = Taken()
        reader = KafkaReader(config, "shop", state("orders"), first.take)
        reader.start()
        found = await first.wait_for(60)
        await reader.aclose()
        for subject in range(3):
            mine = [int(one.message.data) for one in found if one.message.subject == f"s{subject}"]
            assert mine == sorted(mine) == list(range(subject, 60, 3))
        assert {one.own for one in found} == {f"m{n}" for n in range(60)}
        await writer.send("orders", [outgoing(99)])
        second = Taken()
        reader = KafkaReader(config, "shop", state("orders"), second.take)
        reader.start()
        assert [one.own for one in await second.wait_for(1)] == ["m99"]
        await reader.aclose()
        writer.close()

    run(case)


def test_what_could_not_be_taken_comes_again(servers: str) -> None:
    async def case() -> None:
        config = Kafka(servers, group="again")
        writer = KafkaWriter(config, "shop", state("again"))
        await writer.send("again", [outgoing(n) for n in range(5)])
        taken, states = Taken(), state("again")
        taken.failures = 1
        reader = KafkaReader(config, "shop", states, taken.take)
        reader.start()
        found = await taken.wait_for(5)
        assert [int(one.message.data) for one in found[:5]] == list(range(5))
        assert "the store is away" in states["again"].view().failure
        await reader.aclose()
        writer.close()

    run(case)


def test_messages_of_others_without_anything(servers: str) -> None:
    async def case() -> None:
        library = library_of(Kafka)
        producer: Any = library.Producer({"bootstrap.servers": servers})
        producer.produce("plain", value=None, key=None)
        producer.produce("plain", value=b"\xff", key=b"k", headers={"ce_type": b"T"})
        producer.flush(WAIT_S)
        taken = Taken()
        reader = KafkaReader(Kafka(servers), "shop", state("plain"), taken.take)
        reader.start()
        found = {one.message.subject: one.message for one in await taken.wait_for(2)}
        await reader.aclose()
        assert found[""].data == b""
        assert (found["k"].data, found["k"].type) == (b"\xff", "T")
        assert found["k"].content_type == "application/json"

    run(case)


def test_a_broker_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "SEND_S", 0.5)

    async def case() -> None:
        states = state("orders")
        writer = KafkaWriter(Kafka("127.0.0.1:1"), "shop", states)
        with pytest.raises(NotSent, match="2 of 2 not sent"):
            await writer.send("orders", [outgoing(1), outgoing(2)])
        assert states["orders"].away
        writer.close()

    run(case)


def test_options_of_a_connection() -> None:
    plain = client_options(Kafka("k:1"), "shop")
    assert plain["bootstrap.servers"] == "k:1"
    assert "security.protocol" not in plain
    tls = Tls(ca_file="/ca.pem", cert_file="/c.pem", key_file="/k.pem")
    both = client_options(
        Kafka("k:1", username="u", password="p", mechanism="SCRAM-SHA-512", tls=tls), "shop"
    )
    assert (both["security.protocol"], both["sasl.mechanism"]) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (both["sasl.username"], both["sasl.password"]) == ("u", "p")
    assert (both["ssl.ca.location"], both["ssl.key.location"]) == ("/ca.pem", "/k.pem")
    named = client_options(Kafka("k:1", username="u", password="p"), "shop")
    assert named["security.protocol"] == "SASL_PLAINTEXT"
    assert client_options(Kafka("k:1", tls=Tls()), "shop")["security.protocol"] == "SSL"
