"""Libraries that only some services need: loaded when they are used, or an error that says how."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from actorkalix.brokers import Kafka, Nats, Tls
from actorkalix.errors import DefinitionError, ExtraMissing

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


def check_brokers(brokers: Iterable[Kafka | Nats]) -> None:
    """Say what is missing for these brokers, before anything is started.

    Raises:
        ExtraMissing: a library is not installed.
        DefinitionError: a file is not there.
    """
    some = list(brokers)
    check_extras({type(one) for one in some})
    for one in some:
        if one.tls is not None:
            check_files(one.tls)
        if isinstance(one, Nats) and one.credentials:
            _check_file(one.credentials, "Nats(credentials=...)")
            if find_spec("nkeys") is None:
                raise ExtraMissing(
                    "Nats(credentials=...) signs with nkeys, which is not installed: "
                    "pip install 'nats-py[nkeys]'"
                )


def check_files(tls: Tls) -> None:
    """Say which file of a connection is missing; the libraries say that one is.

    Raises:
        DefinitionError: one is not there.
    """
    for path in (tls.ca_file, tls.cert_file, tls.key_file):
        if path:
            _check_file(path, "Tls(...)")


def _check_file(path: str, where: str) -> None:
    if not Path(path).is_file():
        raise DefinitionError(f"{where} names {path!r}, which is no file")


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
