"""NATS over TLS, with passwords, tokens and certificates: let in, or told why not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from actorkalix.brokers import Nats, Tls
from actorkalix.engine.topic import TopicMessage
from actorkalix.runtime.broker_state import BrokerState
from actorkalix.runtime.nats import Connection, NatsReader, NatsWriter
from actorkalix.runtime.outside import Outgoing
from tests.e2e.certificates import Certificates
from tests.e2e.flowing import until
from tests.e2e.outside import NatsServer
from tests.e2e.test_nats import Taken

WAIT_S = 60


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def server(tmp_path: Path, certificates: Certificates) -> Iterator[NatsServer]:
    """It asks for TLS, a certificate of the client, and a password."""
    cert, key = certificates.signed("server")
    options = ("--tls", "--tlscert", cert, "--tlskey", key)
    client = ("--tlsverify", "--tlscacert", certificates.ca)
    with NatsServer(tmp_path, *options, *client, "--user", "shop", "--pass", "secret") as made:
        yield made


async def _round_trip(config: Nats) -> None:
    """A message goes there and comes back."""
    state = BrokerState("orders", "nats orders", lambda: 5)
    link, back = Connection(config, "shop"), Connection(config, "shop")
    taken = Taken()
    reader = NatsReader(config, back, "shop", "orders", state, taken.take)
    reader.start()
    try:
        made = TopicMessage("T", "s", "m1", "x", "text/plain", (), b"1")
        async with asyncio.timeout(WAIT_S):
            await NatsWriter(config, link, {"orders": state}).send(
                "orders", [Outgoing("@q", 0, made)]
            )
        assert await taken.wait_for("m1") == ["m1"]
    finally:
        await reader.aclose()
        await link.aclose()


async def _refusal(config: Nats) -> str:
    """What operators see of a reader that is not let in."""
    state = BrokerState("orders", "nats orders", lambda: 5)
    link = Connection(config, "shop")
    reader = NatsReader(config, link, "shop", "orders", state, Taken().take)
    reader.start()

    async def failure() -> str:
        return state.view().failure

    try:
        async with asyncio.timeout(WAIT_S):
            await until(failure, bool)
        assert state.away
        return await failure()
    finally:
        await reader.aclose()


def _config(server: NatsServer, certificates: Certificates, password: str = "secret") -> Nats:
    cert, key = certificates.signed("client")
    tls = Tls(ca_file=certificates.ca, cert_file=cert, key_file=key)
    return Nats(server.servers, username="shop", password=password, tls=tls)


def test_who_has_certificate_and_password_is_let_in(
    server: NatsServer, certificates: Certificates
) -> None:
    asyncio.run(_round_trip(_config(server, certificates)))


def test_a_wrong_password_is_said(server: NatsServer, certificates: Certificates) -> None:
    said = asyncio.run(_refusal(_config(server, certificates, "guessed")))
    assert "authorization violation" in said.lower()
    assert "guessed" not in said


def test_a_server_that_is_not_trusted_is_said(server: NatsServer, tmp_path: Path) -> None:
    stranger = Certificates(tmp_path / "stranger")
    said = asyncio.run(_refusal(_config(server, stranger)))
    assert "certificate verify failed" in said.lower()


def test_a_certificate_that_is_missing_is_said(
    server: NatsServer, certificates: Certificates
) -> None:
    tls = Tls(ca_file=certificates.ca)
    said = asyncio.run(_refusal(Nats(server.servers, username="shop", password="secret", tls=tls)))
    assert "certificate" in said.lower() or "tls" in said.lower()


def test_a_file_that_is_not_there_is_said(server: NatsServer, tmp_path: Path) -> None:
    path = str(tmp_path / "none.pem")
    said = asyncio.run(_refusal(Nats(server.servers, tls=Tls(ca_file=path))))
    assert path in said


def test_a_token(tmp_path: Path) -> None:
    with NatsServer(tmp_path, "--auth", "t0ken") as server:
        asyncio.run(_round_trip(Nats(server.servers, token="t0ken")))
        said = asyncio.run(_refusal(Nats(server.servers, token="other")))
        assert "authorization violation" in said.lower()
