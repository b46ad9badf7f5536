"""Where topics live: plain values, which load no library of a broker."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest

from actorkalix import Action, DefinitionError, Service, handler
from actorkalix.brokers import Broker, Embedded, Kafka, Nats, broker_of


class Idle(Action, id="idle"):
    @handler
    async def nothing(self) -> None: ...


def test_a_name_wins_over_the_star() -> None:
    kafka, nats = Kafka("k:9092"), Nats("nats://n:4222")
    brokers: dict[str, Broker] = {"orders": kafka, "*": nats}
    assert broker_of(brokers, "orders") is kafka
    assert broker_of(brokers, "others") is nats
    assert broker_of({}, "orders") == Embedded()


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: Embedded(kept=timedelta(0)), "kept"),
        (lambda: Kafka("k:9092", bytes_max=0), "bytes_max"),
        (lambda: Kafka(""), "servers"),
        (lambda: Nats("nats://a:1,,nats://b:1"), "servers"),
        (lambda: Kafka("k:9092", options={"enable.idempotence": False}), "enable.idempotence"),
        (lambda: Kafka("k:9092", username="u"), "password"),
        (lambda: Nats("n", password="p"), "username"),
    ],
)
def test_what_cannot_be_is_refused(make: object, said: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=said):
        make()


def test_secrets_are_not_shown() -> None:
    for one in (
        Kafka("k:9092", username="u", password="hidden", options={"sasl.password": "hidden"}),
        Nats("n:4222", username="u", password="hidden", token="hidden"),
    ):
        assert "hidden" not in repr(one)


@pytest.mark.parametrize(
    "brokers, said",
    [
        ({"orders": "kafka:9092"}, "'kafka:9092'"),
        ({"or/ders": Embedded()}, "or/ders"),
        ([Embedded()], "mapping"),
    ],
)
def test_a_service_says_what_is_wrong(brokers: dict[str, Broker], said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        Service("shop", components=[Idle], brokers=brokers)


def test_no_library_is_loaded() -> None:
    code = (
        "import sys, actorkalix.brokers as b; b.Kafka('k:1'); b.Nats('n:1'); "
        "print({'confluent_kafka', 'nats', 'ray', 'lmdb'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"
