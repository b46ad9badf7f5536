"""The client's transport against a real server: values there and back, errors by what they say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from actorkalix import (
    Client,
    CommandError,
    Effect,
    EventSourcedEntity,
    Service,
    command,
    errors,
    query,
)
from actorkalix.gateway import tokens
from actorkalix.gateway.client import HttpTransport
from actorkalix.gateway.http import http_app
from actorkalix.gateway.server import Server, bind
from actorkalix.limits import Limits
from actorkalix_cluster.shardhost.messages import Encoding, Failure, Message, Reply
from actorkalix_cluster.shardhost.outgoing import unpack_messages
from actorkalix_storage.api import Position
from tests.unit.actorkalix.gateway.sample import ByTask


@dataclass(frozen=True)
class Added:
    quantity: int


@dataclass(frozen=True)
class Total:
    entity_id: str
    quantity: int


class Basket(EventSourcedEntity[Total, Added], id="basket"):
    def empty_state(self) -> Total:
        return Total(self.entity_id, 0)

    @command
    def add_up(self, quantity: int, note: str = "") -> Effect[Total]:
        return self.effects.persist(Added(quantity)).then_reply(lambda total: total)

    @query
    def total(self) -> Total:
        return self.state

    def apply_event(self, state: Total, event: Added) -> Total:
        return Total(state.entity_id, state.quantity + event.quantity)


SERVICE = Service("baskets", components=[Basket])


class Baskets(ByTask):
    """Replies with what it was asked: entity id, and the length of the payload."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Message] = []
        self.failure: Failure | None = None
        self.payload: bytes | None = None
        self.arrived = asyncio.Event()
        self.held: asyncio.Event | None = None

    async def ask(self, message: Message, /) -> Reply:
        self.asked.append(message)
        self.arrived.set()
        if self.held is not None:
            await self.held.wait()
        if self.failure is not None:
            return Reply(failure=self.failure)
        entity = message.entity.encode()
        payload = b'{"entity_id":"%b","quantity":3}' % entity
        return Reply(
            self.payload or payload,
            metadata=(("Tenant", "nörd"), ("X-Total", "5")),
            shard=1,
            position=Position(1, 2, 3),
        )


def calling(test: Callable[[Client, Baskets, Server], Awaitable[None]]) -> None:
    """Runs a test with a client of a server."""

    async def run() -> None:
        baskets = Baskets()
        listening = bind("127.0.0.1", 0)
        port = listening.getsockname()[1]
        app = http_app(SERVICE.descriptor, baskets, limits=Limits(), ready=lambda: True)
        server = Server(app, [listening])
        await server.start()
        try:
            async with Client(f"http://127.0.0.1:{port}") as client:
                await test(client, baskets, server)
        finally:
            await server.stop(1)

    asyncio.run(run())


def test_arguments_go_and_replies_come() -> None:
    async def test(client: Client, baskets: Baskets, _: Server) -> None:
        call = client.entity(Basket, "a/b ü").add_up(3, note="n")
        reply = await (
            call.with_idempotency_key("kä")
            .with_metadata({"Tenant": "ä"})
            .with_timeout(timedelta(seconds=9))
            .reply()
        )
        assert reply.value == Total("a/b ü", 3)
        assert tokens.decode(reply.token).marks == (tokens.Mark(1, 1, 2, 3),)
        assert dict(reply.metadata) == {"tenant": "nörd", "x-total": "5"}
        [message] = baskets.asked
        assert (message.entity, message.method, message.key) == ("a/b ü", "add_up", "kä")
        assert message.metadata == (("tenant", "ä"),)
        assert message.encoding is Encoding.JSON
        assert b'"quantity":3' in message.payload
        assert await client.entity(Basket, "..").total() == Total("..", 3)

    calling(test)


def test_a_call_that_is_sent_is_queued() -> None:
    async def test(client: Client, baskets: Baskets, _: Server) -> None:
        await client.entity(Basket, "b").add_up(3, note="n").with_idempotency_key("k").send()
        [order] = baskets.asked
        assert order.component == "~sending"
        [message] = unpack_messages(order.payload)
        assert (message.component, message.entity, message.method) == ("basket", "b", "add_up")
        assert (message.key, message.encoding) == ("k", Encoding.JSON)

    calling(test)


def test_a_domain_error_is_a_command_error() -> None:
    async def test(client: Client, baskets: Baskets, _: Server) -> None:
        baskets.failure = Failure("AK2001", "already_exists", "no", details=b'{"a":[1]}')
        with pytest.raises(CommandError) as caught:
            await client.entity(Basket, "b").total()
        error = caught.value
        assert (error.message, error.code, error.http_status) == ("no", "already_exists", 409)
        assert error.details == {"a": [1]}

    calling(test)


@pytest.mark.parametrize(
    "name", ["Overloaded", "StoreFull", "IdempotencyKeyReused", "HandlerFailed"]
)
def test_other_errors_come_back_as_what_they_were(name: str) -> None:
    async def test(client: Client, baskets: Baskets, _: Server) -> None:
        kind: type[errors.ActorkalixError] = getattr(errors, name)
        baskets.failure = Failure(kind.number, kind.code, "why", retry_after_ms=1_500)
        with pytest.raises(kind, match="why") as caught:
            await client.entity(Basket, "b").total()
        assert caught.value.outcome == "not_executed"
        assert caught.value.http_status == kind.http_status
        assert caught.value.retry_after_ms == 2_000

    calling(test)


def test_an_error_of_a_newer_service() -> None:
    async def test(client: Client, baskets: Baskets, _: Server) -> None:
        baskets.failure = Failure("AK3999", "unavailable", "new", outcome="unknown")
        with pytest.raises(errors.ActorkalixError, match="AK3999: new") as caught:
            await client.entity(Basket, "b").total()
        assert (caught.value.code, caught.value.outcome) == ("unavailable", "unknown")

    calling(test)


def test_a_reply_of_another_version() -> None:
    async def test(client: Client, baskets: Baskets, _: Server) -> None:
        baskets.payload = b'{"entity_id":7}'
        with pytest.raises(errors.InvalidPayload, match="different versions") as caught:
            await client.entity(Basket, "b").total()
        assert caught.value.outcome == "unknown"

    calling(test)


def test_no_service_there_is_not_executed() -> None:
    async def run() -> None:
        listening = bind("127.0.0.1", 0)
        port = listening.getsockname()[1]
        listening.close()
        async with Client(f"http://127.0.0.1:{port}") as client:
            with pytest.raises(errors.OwnerAway, match="no service answers") as caught:
                await client.entity(Basket, "b").total()
        assert caught.value.outcome == "not_executed"

    asyncio.run(run())


def test_a_broken_connection_is_unknown() -> None:
    async def run() -> None:
        async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(cut, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, Client(f"http://127.0.0.1:{port}") as client:
            with pytest.raises(errors.OutcomeUnknown, match="broke"):
                await client.entity(Basket, "b").total()

    asyncio.run(run())


def test_no_answer_in_time_is_unknown() -> None:
    async def test(client: Client, baskets: Baskets, _: Server) -> None:
        baskets.held = asyncio.Event()
        call = client.entity(Basket, "b").total().with_timeout(timedelta(milliseconds=50))
        with pytest.raises(errors.OutcomeUnknown):
            await call
        baskets.held.set()

    calling(test)


@pytest.mark.parametrize("status, kind", [(404, errors.UnknownRoute), (502, errors.OutcomeUnknown)])
def test_somebody_else_answers(status: int, kind: type[errors.ActorkalixError]) -> None:
    async def run() -> None:
        async def html(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 %d Oh\r\ncontent-length: 4\r\n\r\n<ht>" % status)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(html, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, Client(f"http://127.0.0.1:{port}") as client:
            with pytest.raises(kind, match=f"answered {status}"):
                await client.entity(Basket, "b").total()

    asyncio.run(run())


@pytest.mark.parametrize("name, value", [("a b", "x"), ("a", "x\r\ny"), ("", "x"), ("ä", "x")])
def test_metadata_that_no_header_can_carry(name: str, value: str) -> None:
    async def test(client: Client, baskets: Baskets, _: Server) -> None:
        with pytest.raises(errors.InvalidPayload, match="metadata"):
            await client.entity(Basket, "b").total().with_metadata({name: value})
        assert baskets.asked == []

    calling(test)


def test_token_becomes_a_bearer_token() -> None:
    transport = HttpTransport("http://127.0.0.1:1/", token="secret")
    assert transport._http.headers["authorization"] == "Bearer secret"
    asyncio.run(transport.aclose())
