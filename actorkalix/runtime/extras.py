"""Libraries that only some services need: loaded when they are used, or an error that says how."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from actorkalix.brokers import Kafka, Nats
from actorkalix.errors import ExtraMissing

LIBRARIES: dict[type[Kafka | Nats], tuple[str, str, str]] = {
    Kafka: ("confluent_kafka", "confluent-kafka", "kafka"),
    Nats: ("nats", "nats-py", "nats"),
}
"""Of a broker: the module, its distribution, our extra that brings it."""


def library_of(kind: type[Kafka | Nats], *parts: str) -> Any:
    """The library that speaks to a broker, or a module in it.

    Args:
        kind: of broker.
        parts: of the module's name below the library's.

    Raises:
        ExtraMissing: it is not installed.
    """
    check_extras((kind,))
    return import_module(".".join((LIBRARIES[kind][0], *parts)))


def check_extras(kinds: Iterable[type[Kafka | Nats]]) -> None:
    """Say what is missing, before anything is started.

    Raises:
        ExtraMissing: a library is not installed.
    """
    for kind in kinds:
        module, distribution, extra = LIBRARIES[kind]
        if find_spec(module) is None:
            raise ExtraMissing(
                f"a topic is at {kind.__name__}(...), which needs {distribution}: "
                f"pip install 'actorkalix[{extra}]'"
            )
