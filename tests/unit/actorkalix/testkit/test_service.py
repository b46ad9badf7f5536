"""`TestService`: a whole service on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta

import pytest

from actorkalix import Client, Service
from actorkalix.errors import EntityDeleted, HandlerFailed, HandlerWaits
from actorkalix.testkit import TestService
from tests.unit.actorkalix.engine.ledger import Book, Profile
from tests.unit.actorkalix.runtime.impatient import Impatient

pytestmark = pytest.mark.usefixtures("everywhere")

Case = Callable[[TestService, Client], Coroutine[None, None, None]]


def play(case: Case) -> None:
    """A case on a running service."""

    async def whole() -> None:
        async with TestService(Service("books", components=[Book, Profile, Impatient])) as running:
            await case(running, running.client)

    asyncio.run(whole())


def test_calls_are_durable_across_a_crash() -> None:
    async def case(running: TestService, client: Client) -> None:
        book = client.entity(Book, "b1")
        assert await book.add(5) == 5
        await running.restart()
        assert await book.add(7) == 12
        assert await book.total() == 12

    play(case)


def test_es_54_time_passes_when_it_is_told_to() -> None:
    async def case(running: TestService, client: Client) -> None:
        book = client.entity(Book, "b1")
        await book.lend(5, 60)
        await running.advance(timedelta(seconds=59))
        assert await book.total() == 5
        await running.advance(timedelta(seconds=1))
        with pytest.raises(EntityDeleted):
            await book.add(1)

    play(case)


def test_es_52_a_deleted_entity_is_cleaned_after_seven_days() -> None:
    async def case(running: TestService, client: Client) -> None:
        book = client.entity(Book, "b1")
        await book.add(5)
        await book.close()
        await running.advance(timedelta(days=6, hours=23))
        assert await book.total() == 5
        await running.advance(timedelta(hours=2))
        assert await book.total() == 0
        assert await book.add(1) == 1

    play(case)


def test_es_82_a_handler_that_raises_changes_nothing() -> None:
    async def case(running: TestService, client: Client) -> None:
        book = client.entity(Book, "b1")
        await book.add(5)
        with pytest.raises(HandlerFailed, match="unexpected error"):
            await book.crash()
        assert await book.add(1) == 6

    play(case)


def test_a_state_changed_in_place_is_named_and_not_kept() -> None:
    async def case(running: TestService, client: Client) -> None:
        profile = client.entity(Profile, "p1")
        await profile.paint("dark")
        with pytest.raises(AssertionError, match=r"settings 'p1'\.smuggle changed the state"):
            await profile.smuggle("x")
        assert (await profile.paint("light")).tags == []

    play(case)


def test_a_handler_that_waits_is_named_and_nothing_is_kept() -> None:
    async def case(running: TestService, client: Client) -> None:
        impatient = client.entity(Impatient, "i1")
        with pytest.raises(HandlerWaits, match=r"impatient 'i1'\.wait called time\.sleep"):
            await impatient.wait("sleep")
        with pytest.raises(HandlerWaits, match=r"impatient 'i1'\.swallow called time\.sleep"):
            await impatient.swallow()
        assert await impatient.count() == 0

    play(case)


def test_it_runs_within_async_with_alone() -> None:
    async def case() -> None:
        running = TestService(Service("books", components=[Book]))
        with pytest.raises(RuntimeError, match="async with"):
            await running.client.entity(Book, "b1").add(1)

    asyncio.run(case())
