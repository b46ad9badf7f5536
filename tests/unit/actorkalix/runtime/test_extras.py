"""A library that is missing is an error that says what to install."""

from __future__ import annotations

import importlib.util

import pytest

from actorkalix.brokers import Kafka, Nats
from actorkalix.errors import ExtraMissing
from actorkalix.runtime import extras


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(name: str) -> object:
        return None if name == "nats" else importlib.util.find_spec(name)

    monkeypatch.setattr(extras, "find_spec", found)
    extras.check_extras({Kafka})
    with pytest.raises(ExtraMissing, match=r"pip install 'actorkalix\[nats\]'"):
        extras.check_extras({Kafka, Nats})
    with pytest.raises(ExtraMissing, match="nats-py"):
        extras.library_of(Nats, "js", "api")


def test_what_is_there_is_loaded() -> None:
    assert hasattr(extras.library_of(Kafka), "Consumer")
    assert hasattr(extras.library_of(Nats, "js", "api"), "ConsumerConfig")
