"""A library that is missing is an error that says what to install."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from actorkalix.brokers import Kafka, Nats, Tls
from actorkalix.errors import DefinitionError, ExtraMissing
from actorkalix.runtime import extras
from actorkalix.runtime.extras import check_brokers


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


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    there = tmp_path / "ca.pem"
    there.write_text("x")
    check_brokers([Kafka("k:9092", tls=Tls(ca_file=str(there)))])
    with pytest.raises(DefinitionError, match=r"Tls\(\.\.\.\) names '/none.key', which is no file"):
        check_brokers([Nats("n:4222", tls=Tls(ca_file=str(there), key_file="/none.key"))])
    with pytest.raises(DefinitionError, match=r"Nats.credentials=.* names '/none.creds'"):
        check_brokers([Nats("n:4222", credentials="/none.creds")])


def test_credentials_need_what_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = tmp_path / "shop.creds"
    there.write_text("x")

    def found(name: str) -> object:
        return None if name == "nkeys" else importlib.util.find_spec(name)

    monkeypatch.setattr(extras, "find_spec", found)
    with pytest.raises(ExtraMissing, match=r"nats-py\[nkeys\]"):
        check_brokers([Nats("n:4222", credentials=str(there))])
