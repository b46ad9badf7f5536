"""Rules that need the whole of a service: entities behind a host, on virtual time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import timedelta

import pytest

from actorkalix import Client, CommandError, Service
from actorkalix.errors import EntityDeleted
from actorkalix.runtime.composition import build_host
from actorkalix.runtime.virtual import START_MS, VirtualClock
from actorkalix.testkit import TestService
from actorkalix_cluster.placement import shard_of
from actorkalix_cluster.shardhost.committer import InlineCommitter
from actorkalix_cluster.shardhost.messages import Message, MessageKind
from actorkalix_storage.api import StoreIdentity
from actorkalix_storage.memorystore import MemoryStore
from tests.unit.actorkalix.engine.odd import Board, Odd

pytestmark = pytest.mark.usefixtures("everywhere")

Case = Callable[[TestService, Client], Coroutine[None, None, None]]


def play(case: Case) -> None:
    """A case on a running service."""

    async def whole() -> None:
        async with TestService(Service("odd", components=[Odd, Board])) as running:
            await case(running, running.client)

    asyncio.run(whole())


def test_es_04_commands_of_one_id_are_handled_one_at_a_time() -> None:
    async def case(running: TestService, client: Client) -> None:
        odd = client.entity(Odd, "a")
        assert await asyncio.gather(*(odd.write() for _ in range(600))) == list(range(1, 601))
        await running.restart()
        assert await odd.texts() == 600

    play(case)


def test_es_06_what_is_no_state_is_gone_with_the_call() -> None:
    async def case(running: TestService, client: Client) -> None:
        odd = client.entity(Odd, "a")
        await odd.smuggle()
        assert await odd.recall() == "gone"
        await running.advance(timedelta(seconds=31))
        assert await odd.recall() == "gone"

    play(case)


def test_a_key_that_100_callers_send_is_executed_once() -> None:
    async def case(running: TestService, client: Client) -> None:
        odd = client.entity(Odd, "a")
        calls = [odd.write().with_idempotency_key("k") for _ in range(100)]
        assert await asyncio.gather(*calls) == [1] * 100
        assert await odd.texts() == 1

    play(case)


def test_a_key_of_a_caller_who_gave_up_is_executed_once() -> None:
    async def case(running: TestService, client: Client) -> None:
        odd = client.entity(Odd, "a")

        async def write() -> int:
            return await odd.write().with_idempotency_key("k")

        callers = [asyncio.create_task(write()) for _ in range(10)]
        await asyncio.sleep(0)
        for caller in callers:
            caller.cancel()
        await asyncio.wait(callers)
        assert await write() == 1
        assert await odd.texts() == 1

    play(case)


def test_a_key_counts_for_24_hours_also_after_a_restart() -> None:
    async def case(running: TestService, client: Client) -> None:
        odd = client.entity(Odd, "a")
        assert await odd.write().with_idempotency_key("k") == 1
        await running.advance(timedelta(hours=24) - timedelta(milliseconds=1))
        await running.restart()
        assert await odd.write().with_idempotency_key("k") == 1
        await running.advance(timedelta(milliseconds=1))
        assert await odd.write().with_idempotency_key("k") == 2
        assert await odd.write().with_idempotency_key("k") == 2

    play(case)


def test_a_message_past_its_deadline_is_not_started() -> None:
    async def case(running: TestService, client: Client) -> None:
        late = running.now_ms - 1
        message = Message(MessageKind.COMMAND, "odd", "a", "write", deadline_ms=late)
        reply = await running.ask(message)
        assert reply.failure is not None
        assert (reply.failure.number, reply.failure.outcome) == ("AK3005", "not_executed")
        assert await client.entity(Odd, "a").texts() == 0

    play(case)


def test_es_53_a_cleaned_id_remembers_nothing() -> None:
    async def case(running: TestService, client: Client) -> None:
        odd = client.entity(Odd, "a")
        await odd.write(times=5)
        assert await odd.last_words().with_idempotency_key("k") == 6
        await running.advance(timedelta(days=7, hours=1))
        assert await odd.write().with_idempotency_key("k") == 1
        await running.restart()
        assert await odd.texts() == 1

    play(case)


@pytest.mark.here_only  # more entities at once than may have a process
def test_es_52_one_run_of_the_cleaner_takes_all_that_may_go() -> None:
    async def case(running: TestService, client: Client) -> None:
        names = [f"e{number}" for number in range(300)]
        await asyncio.gather(*(client.entity(Odd, name).last_words() for name in names))
        await running.advance(timedelta(days=7, hours=1))
        left = await asyncio.gather(*(client.entity(Odd, name).texts() for name in names))
        assert left == [0] * 300

    play(case)


def test_es_54_the_timer_ends_what_nobody_asks_for() -> None:
    async def case(running: TestService, client: Client) -> None:
        odd = client.entity(Odd, "a")
        await odd.write_for(microseconds=60_000_000)
        await running.restart()
        await running.advance(timedelta(seconds=60) - timedelta(milliseconds=1))
        assert not await odd.deleted()
        await running.advance(timedelta(milliseconds=1))
        assert await odd.deleted()
        with pytest.raises(EntityDeleted):
            await odd.write()

    play(case)


def test_es_83_nothing_is_logged_for_domain_errors(caplog: pytest.LogCaptureFixture) -> None:
    async def case(running: TestService, client: Client) -> None:
        with pytest.raises(CommandError, match="xxx"):
            await client.entity(Odd, "a").complain(size=3)
        with pytest.raises(CommandError, match="too much"):
            await client.entity(Odd, "a").refuse_in_reply()

    with caplog.at_level(logging.INFO):
        play(case)
    assert caplog.records == []


def test_a_shards_clock_never_goes_back() -> None:
    """Architecture 21."""

    async def case() -> None:
        service = Service("odd", components=[Odd]).descriptor
        store = MemoryStore(StoreIdentity("0" * 32, "odd", 0, 4, 1))
        shard = shard_of("odd", "a", 4)
        for start_ms in (START_MS, START_MS - 3_600_000):
            clock = VirtualClock(start_ms)
            host = build_host(service, store, clock=clock, committer=InlineCommitter(store))
            await host.start()
            message = Message(MessageKind.COMMAND, "odd", "a", "write_for", b'{"microseconds":1}')
            assert (await host.ask(message)).failure is None
            host.abandon()
            store = store.crash()
        times = [stored.record.time_ms for stored in store.records(shard, 0)]
        assert times == sorted(times)

    asyncio.run(case())
