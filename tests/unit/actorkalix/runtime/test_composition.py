"""A service's parts put together."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from actorkalix import Limits, Service
from actorkalix.runtime.composition import build_host, build_router, host_limits
from actorkalix.runtime.virtual import VirtualClock
from actorkalix_cluster.shardhost.committer import InlineCommitter
from actorkalix_cluster.shardhost.messages import Message, MessageKind
from actorkalix_storage.api import StoreIdentity
from actorkalix_storage.memorystore import MemoryStore
from tests.unit.actorkalix.engine.ledger import Book, Profile


def test_a_message_goes_through_router_host_engine_and_store() -> None:
    async def case() -> None:
        service = Service("books", components=[Book, Profile]).descriptor
        store = MemoryStore(StoreIdentity("0" * 32, "books", 0, 64, 1))
        clock = VirtualClock()
        host = build_host(service, store, clock=clock, committer=InlineCommitter(store))
        router = build_router({0: host}, shards=64, clock=clock)
        assert router.homes(63) == (0,)
        await host.start()
        reply = await router.ask(
            Message(MessageKind.COMMAND, "book", "b1", "add", b'{"amount": 5}')
        )
        assert (reply.failure, reply.payload) == (None, b"5")
        assert store.load(reply.shard, "book", "b1") is not None
        await host.stop()

    asyncio.run(case())


def test_limits_become_those_of_a_host() -> None:
    limits = Limits(passivate_after=timedelta(seconds=1.5), entities_max=7, retention=timedelta(1))
    found = host_limits(limits)
    assert (found.passivate_after_ms, found.actors_max, found.retention_ms) == (
        *(1_500, 7, 86_400_000),
    )
    handlers = host_limits(
        Limits(
            handler_slow=timedelta(seconds=1),
            handler_unready=timedelta(seconds=3),
            handler_hang=timedelta(seconds=20),
            handler_strikes_max=5,
        )
    )
    assert (handlers.handler_slow_ms, handlers.handler_unready_ms) == (1_000, 3_000)
    assert (handlers.handler_hang_ms, handlers.handler_strikes_max) == (20_000, 5)
