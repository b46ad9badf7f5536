"""Calls inside one process go as bytes, and errors come back as they were raised."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import cast

import pytest

from actorkalix import Client, Service
from actorkalix.errors import (
    CommandError,
    DeadlinePassed,
    IdempotencyKeyReused,
    InvalidPayload,
    OwnerAway,
)
from actorkalix.runtime.composition import build_host
from actorkalix.runtime.in_process import HostTransport
from actorkalix.runtime.virtual import VirtualClock
from actorkalix_cluster.shardhost.committer import InlineCommitter
from actorkalix_cluster.shardhost.host import ShardHost
from actorkalix_cluster.shardhost.messages import Encoding, Message, Reply
from actorkalix_storage.api import StoreIdentity
from actorkalix_storage.memorystore import MemoryStore
from tests.unit.actorkalix.engine.ledger import Book, TooMuch


class Seen:
    """Asks a host and keeps the messages."""

    def __init__(self, host: ShardHost) -> None:
        self.host = host
        self.messages: list[Message] = []

    async def ask(self, message: Message, /) -> Reply:
        self.messages.append(message)
        return await self.host.ask(message)


Case = Callable[[Client, Seen], Coroutine[None, None, None]]


def play(case: Case) -> None:
    """A case with a client of one book service."""

    async def whole() -> None:
        service = Service("books", components=[Book]).descriptor
        store = MemoryStore(StoreIdentity("0" * 32, "books", 0, 64, 1))
        clock = VirtualClock()
        host = build_host(service, store, clock=clock, committer=InlineCommitter(store))
        await host.start()
        seen = Seen(host)
        async with Client._over(HostTransport(seen, clock)) as client:
            await case(client, seen)
        await host.stop()

    asyncio.run(whole())


def test_es_05_arguments_and_replies_are_bytes() -> None:
    async def case(client: Client, seen: Seen) -> None:
        book = client.entity(Book, "b1")
        reply = await book.add(5).with_metadata({"Who": "me"}).with_idempotency_key("k").reply()
        assert reply.value == 5
        assert reply.token
        assert (await book.add(5).with_idempotency_key("k").reply()).value == 5
        assert await book.total() == 5
        message = seen.messages[0]
        assert (message.encoding, message.accept) == (Encoding.MSGPACK, Encoding.MSGPACK)
        assert (message.key, message.metadata) == ("k", (("Who", "me"),))
        assert message.payload == b"\x81\xa6amount\x05"
        assert (await book.greet().reply()).metadata["x-mood"] == "fine"

    play(case)


def test_es_80_domain_errors_keep_class_and_fields() -> None:
    async def case(client: Client, seen: Seen) -> None:
        book = client.entity(Book, "b1")
        with pytest.raises(TooMuch) as caught:
            await book.add(1_001)
        assert caught.value.above == 1
        with pytest.raises(CommandError) as plain:
            await book.add(-1)
        assert (plain.value.code, plain.value.details) == ("failed_precondition", [-1])

    play(case)


def test_other_failures_are_the_error_of_their_number() -> None:
    async def case(client: Client, seen: Seen) -> None:
        book = client.entity(Book, "b1")
        await book.add(1).with_idempotency_key("k")
        with pytest.raises(IdempotencyKeyReused):
            await book.add(2).with_idempotency_key("k")
        with pytest.raises(InvalidPayload):
            await book.add(cast("int", "x"))
        seen.host.abandon()
        with pytest.raises(OwnerAway) as caught:
            await book.add(1)
        assert caught.value.outcome == "not_executed"

    play(case)


def test_a_timeout_becomes_a_deadline() -> None:
    async def case(client: Client, seen: Seen) -> None:
        await client.entity(Book, "b1").add(1).with_timeout(timedelta(seconds=2))
        assert seen.messages[0].deadline_ms == VirtualClock().now_ms() + 2_000

    play(case)
    assert DeadlinePassed.number == "AK3005"
