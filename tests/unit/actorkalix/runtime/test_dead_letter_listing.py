"""Dead letters of one store: shown also where their payload cannot be, handled one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest

from actorkalix.errors import InvalidPayload, StoredDataUnreadable, UnknownRoute
from actorkalix.runtime.dead_letter_listing import (
    HostLetters,
    LettersAsked,
    checked_letter_id,
    letter_shown,
    letters_of,
)
from actorkalix_cluster.shardhost.cursors import Parked
from actorkalix_cluster.shardhost.dead_letters import DEAD_LETTERS, DeadLetter, letter_of, put_order
from actorkalix_cluster.shardhost.progress import Entry
from actorkalix_storage.api import Append, Position, Record, RecordKind
from actorkalix_storage.memorystore import MemoryStore
from tests.unit.cluster.shardhost.reader import Reader
from tests.unit.cluster.shardhost.rig import Rig, rig

ALL = LettersAsked("", "", 10)


def letter(offset: int, consumer: str = "reader", payload: bytes = b"3") -> DeadLetter:
    record = Record(RecordKind.EVENT, "counter", "a", 3, 100, payload)
    entry = Entry(5, Position(7, 1, offset), 3, record)
    return letter_of(consumer, entry, Parked("counter", "a", 2, offset, 10, 50, "no"), 900)


@pytest.fixture
def reader() -> Reader:
    return Reader(dead_letters=True)


@asynccontextmanager
async def holding(reader: Reader, *letters: DeadLetter) -> AsyncGenerator[tuple[Rig, HostLetters]]:
    """A host with these letters."""
    async with rig(subscribers=[reader]) as r:
        for each in letters:
            assert (await r.host.ask(put_order(each))).failure is None
        yield r, HostLetters(r.host)


def ids(r: Rig) -> Sequence[str]:
    return [each.id for each in letters_of(r.store, lambda _: True, ALL).letters]


def test_letters_are_listed_and_shown(reader: Reader) -> None:
    async def case() -> None:
        first, second = letter(30), letter(31, "other")
        async with holding(reader, first, second) as (r, _):
            assert sorted(ids(r)) == [second.id, first.id]
            asked = LettersAsked("other", "", 10)
            (view,) = letters_of(r.store, lambda _: True, asked).letters
            assert (view.id, view.entity, view.attempts) == (second.id, "a", 10)
            shown = letter_shown(r.store, 5, first.id)
            assert shown.payload is None
            assert "the payload is not shown: counter 'a', event 3" in shown.note
            with pytest.raises(UnknownRoute, match="there is no dead letter"):
                letter_shown(r.store, 5, "5:reader/99")

    asyncio.run(case())


def test_a_letter_that_cannot_be_read_is_named(reader: Reader) -> None:
    async def case() -> None:
        async with holding(reader) as (r, _):
            store = r.store
            assert isinstance(store, MemoryStore)
            record = Record(RecordKind.STATE, DEAD_LETTERS, "5:reader/1", 1, 1, b"\xc1")
            store.commit([Append(5, store.shard(5).position.epoch, 0, (record,))])
            with pytest.raises(StoredDataUnreadable, match="dead letter '5:reader/1'"):
                letters_of(store, lambda _: True, ALL)

    asyncio.run(case())


def test_a_letter_is_replayed_once_at_a_time(reader: Reader) -> None:
    async def case() -> None:
        one = letter(30)
        async with holding(reader, one) as (r, letters):
            reader.gate = asyncio.Event()
            first = asyncio.create_task(letters.replay(one.id))
            await r.advance(1)
            with pytest.raises(InvalidPayload, match="is being replayed"):
                await letters.replay(one.id)
            reader.gate.set()
            assert (await first).handled
            assert reader.seen == [("a", "3")]
            assert ids(r) == []

    asyncio.run(case())


def test_a_replay_that_fails_counts_an_attempt(reader: Reader) -> None:
    async def case() -> None:
        reader.failing = {"a"}
        one = letter(30)
        async with holding(reader, one) as (r, letters):
            replayed = await letters.replay(one.id)
            assert (replayed.handled, replayed.failure) == (
                False,
                "ValueError: cannot handle 3 of a",
            )
            (view,) = letters_of(r.store, lambda _: True, ALL).letters
            assert (view.attempts, view.failure, view.since_ms) == (11, replayed.failure, 50)

    asyncio.run(case())


def test_what_nobody_takes_any_more_is_said(reader: Reader) -> None:
    async def case() -> None:
        gone = letter(30, "gone")
        async with holding(reader, gone) as (r, letters):
            with pytest.raises(UnknownRoute, match=f"actorkalix dead-letters drop {gone.id}"):
                await letters.replay(gone.id)
            assert ids(r) == [gone.id]
            assert (await letters.drop(gone.id)).dropped
            assert ids(r) == []

    asyncio.run(case())


def test_ids_are_checked() -> None:
    assert checked_letter_id("5:bill:cart/30") == "5:bill:cart/30"
    with pytest.raises(InvalidPayload, match="lists them"):
        checked_letter_id("x")
