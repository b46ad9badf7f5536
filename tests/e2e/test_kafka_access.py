"""Kafka over TLS and SASL, through a gate before the mock: let in, or told why not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actorkalix.brokers import Kafka, Tls
from actorkalix.engine.topic import TopicMessage
from actorkalix.runtime.broker_state import BrokerState
from actorkalix.runtime.kafka import KafkaReader, KafkaWriter, NotSent
from actorkalix.runtime.outside import Outgoing
from tests.e2e.certificates import Certificates
from tests.e2e.flowing import until
from tests.e2e.kafka_gate import KafkaGate
from tests.e2e.outside import MockKafka
from tests.e2e.test_nats import Taken

WAIT_S = 60


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def kafka() -> Iterator[MockKafka]:
    with MockKafka() as made:
        yield made


@pytest.fixture
def gate(kafka: MockKafka, certificates: Certificates) -> Iterator[KafkaGate]:
    cert, key = certificates.signed("server")
    users = {"shop": "secret"}
    with KafkaGate(kafka.servers, cert, key, ca=certificates.ca, users=users) as made:
        yield made


def _tls(certificates: Certificates) -> Tls:
    cert, key = certificates.signed("client")
    return Tls(ca_file=certificates.ca, cert_file=cert, key_file=key)


async def _round_trip(config: Kafka, topic: str) -> None:
    """A message goes there and comes back."""
    state = BrokerState(topic, f"kafka {topic}", lambda: 5)
    taken = Taken()
    writer = KafkaWriter(config, "shop", {topic: state})
    reader = KafkaReader(config, "shop", {topic: state}, taken.take)
    made = TopicMessage("T", "s", "m1", "x", "text/plain", (), b"1")
    try:
        async with asyncio.timeout(WAIT_S):
            await writer.send(topic, [Outgoing("@q", 0, made)])
        reader.start()
        assert await taken.wait_for("m1") == ["m1"]
    finally:
        await reader.aclose()
        await asyncio.to_thread(writer.close)


async def _refusal(config: Kafka) -> str:
    """What operators see of a reader that is not let in."""
    state = BrokerState("orders", "kafka orders", lambda: 5)
    reader = KafkaReader(config, "shop", {"orders": state}, Taken().take)
    reader.start()

    async def failure() -> str:
        return state.view().failure

    def tells(said: Any) -> bool:
        return any(word in said for word in ("SSL", "uthentication", "certificate"))

    try:
        async with asyncio.timeout(WAIT_S):
            await until(failure, tells)
        assert state.away
        return await failure()
    finally:
        await reader.aclose()


async def _not_sent(config: Kafka) -> str:
    """What operators see of a writer that is not let in."""
    state = BrokerState("orders", "kafka orders", lambda: 5)
    writer = KafkaWriter(config, "shop", {"orders": state})
    made = TopicMessage("T", "s", "m1", "x", "text/plain", (), b"1")
    with pytest.raises(NotSent):
        await writer.send("orders", [Outgoing("@q", 0, made)])
    await asyncio.to_thread(writer.close)
    return state.view().failure


def test_tls_alone(kafka: MockKafka, certificates: Certificates) -> None:
    cert, key = certificates.signed("server")
    with KafkaGate(kafka.servers, cert, key) as gate:
        config = Kafka(gate.servers, tls=Tls(ca_file=certificates.ca))
        asyncio.run(_round_trip(config, "plain"))


def test_who_has_certificate_and_password_is_let_in(
    gate: KafkaGate, certificates: Certificates
) -> None:
    config = Kafka(gate.servers, username="shop", password="secret", tls=_tls(certificates))
    asyncio.run(_round_trip(config, "both"))
    assert gate.refused == []


def test_a_wrong_password_is_said(gate: KafkaGate, certificates: Certificates) -> None:
    config = Kafka(gate.servers, username="shop", password="guessed", tls=_tls(certificates))
    said = asyncio.run(_refusal(config))
    assert "SASL authentication error: Authentication failed: Invalid username" in said
    assert "guessed" not in said
    assert set(gate.refused) == {"shop"}
    assert "Authentication failed" in asyncio.run(_not_sent(config)), "who publishes is told too"


def test_a_broker_that_is_not_trusted_is_said(gate: KafkaGate, tmp_path: Path) -> None:
    stranger = Certificates(tmp_path / "stranger")
    config = Kafka(gate.servers, username="shop", password="secret", tls=_tls(stranger))
    assert "certificate verify failed" in asyncio.run(_refusal(config))


def test_a_certificate_that_is_missing_is_said(gate: KafkaGate, certificates: Certificates) -> None:
    tls = Tls(ca_file=certificates.ca)
    config = Kafka(gate.servers, username="shop", password="secret", tls=tls)
    assert "certificate" in asyncio.run(_refusal(config))


def test_a_broker_that_speaks_no_tls_is_said(kafka: MockKafka, certificates: Certificates) -> None:
    config = Kafka(kafka.servers, tls=_tls(certificates))
    assert "SSL" in asyncio.run(_refusal(config))
