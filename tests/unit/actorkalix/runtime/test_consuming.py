"""Consumers of a service that runs: seen over all stores, tried again, dead letters replayed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from actorkalix.consumer_views import ConsumerView, Consuming, DeadLetterView
from actorkalix.errors import InvalidPayload, OwnerAway, UnknownRoute
from actorkalix.runtime.consuming import ClusterConsuming
from actorkalix.testkit import TestService
from tests.unit.actorkalix.runtime.cluster import Cluster
from tests.unit.actorkalix.runtime.failing import (
    LONG,
    SOON,
    Bill,
    Mail,
    Orders,
    Paid,
    inspection_of,
    mend,
    service,
)


@pytest.fixture(autouse=True)
def _mended() -> Iterator[None]:
    mend()
    yield
    mend()


def run(case: Callable[[TestService], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with TestService(service) as running:
            await case(running)

    asyncio.run(whole())


async def one(running: TestService, consumer: str) -> ConsumerView:
    (view,) = await inspection_of(running).consuming.consumers(consumer)
    return view


async def dead(running: TestService) -> list[DeadLetterView]:
    return (await inspection_of(running).consuming.dead_letters()).letters


def test_all_consumers_are_listed_with_what_they_read() -> None:
    async def case(running: TestService) -> None:
        await running.client.entity(Orders, "o1").pay(5)
        await running.advance(SOON)
        port: Consuming = inspection_of(running).consuming
        found = {each.consumer: each for each in await port.consumers("", limit=10)}
        assert sorted(found) == ["bill:order", "mail:order", "~outbox"]
        assert (found["mail:order"].action, found["mail:order"].source) == ("mail", "order")
        assert found["~outbox"].source == "side effects of entities"
        bill = found["bill:order"]
        assert (bill.handled, bill.failures, bill.parked, bill.behind) == (1, 0, 0, 0)
        assert bill.shards == running._store.identity.shards

    run(case)


def test_parked_subjects_are_named_and_tried_when_that_is_asked() -> None:
    async def case(running: TestService) -> None:
        Mail.broken = {"o1", "o2"}
        for name in ("o1", "o2", "o3"):
            await running.client.entity(Orders, name).pay(1)
        await running.advance(SOON)
        consuming = inspection_of(running).consuming
        view = await one(running, "mail:order")
        assert (view.parked, view.failures) == (2, 2)
        assert "no such address" in view.failure
        assert {subject.entity for subject in view.subjects} == {"o1", "o2"}
        assert all(subject.attempts == 1 for subject in view.subjects)
        (first,) = (await consuming.consumers("mail:order", limit=1))[0].subjects
        assert first == view.subjects[0]
        mend()
        assert (await consuming.retry("mail:order", "o1")).subjects == 1
        assert (await consuming.retry("mail:order", "o9")).subjects == 0
        await running.advance(SOON * 0)
        assert Mail.seen == [("o1", 1)]
        assert (await consuming.retry("mail:order")).subjects == 1
        await running.advance(SOON * 0)
        assert (await one(running, "mail:order")).subjects == ()

    run(case)


def test_what_is_given_up_is_kept_and_replayed_once() -> None:
    async def case(running: TestService) -> None:
        Bill.broken = {7}
        order = running.client.entity(Orders, "o1")
        for cents in (5, 7, 9):
            await order.pay(cents)
        await running.advance(LONG)
        assert await running.client.entity(Paid, "all").total() == 14
        (letter,) = await dead(running)
        assert (letter.consumer, letter.component, letter.entity) == ("bill:order", "order", "o1")
        assert (letter.sequence_number, letter.attempts, letter.kind) == (2, 10, "event")
        assert "out of paper" in letter.failure
        assert (await one(running, "bill:order")).dead_letters == 1
        await running.restart()
        await running.advance(LONG)
        consuming = inspection_of(running).consuming
        shown = await consuming.dead_letter(letter.id)
        assert (shown.payload, shown.note) == (7, "")
        failed = await consuming.replay(letter.id)
        assert not failed.handled
        assert "out of paper" in failed.failure
        assert [each.attempts for each in await dead(running)] == [11]
        mend()
        assert (await consuming.replay(letter.id)).handled
        assert await dead(running) == []
        assert await running.client.entity(Paid, "all").total() == 21
        with pytest.raises(UnknownRoute, match="`actorkalix dead-letters` lists them"):
            await consuming.replay(letter.id)

    run(case)


def test_a_replay_has_the_key_of_the_first_delivery() -> None:
    """What the handler did before it failed is not done again."""

    async def case(running: TestService) -> None:
        Bill.late = {7}
        await running.client.entity(Orders, "o1").pay(7)
        await running.advance(LONG)
        (letter,) = await dead(running)
        mend()
        assert (await inspection_of(running).consuming.replay(letter.id)).handled
        assert await running.client.entity(Paid, "all").total() == 7

    run(case)


def test_letters_are_dropped_and_listed_by_consumer() -> None:
    async def case(running: TestService) -> None:
        Bill.broken = {1, 2, 3}
        for cents in (1, 2, 3):
            await running.client.entity(Orders, f"o{cents}").pay(cents)
        await running.advance(LONG)
        consuming = inspection_of(running).consuming
        found: list[str] = []
        page = ""
        while True:
            some = await consuming.dead_letters("bill:order", page=page, limit=2)
            found += [letter.id for letter in some.letters]
            page = some.next_page
            if not page:
                break
        assert len(set(found)) == 3
        assert (await consuming.dead_letters("mail:order")).letters == []
        assert (await consuming.drop(found[0])).dropped
        assert not (await consuming.drop(found[0])).dropped
        assert len(await dead(running)) == 2

    run(case)


def test_unknown_names_are_answered_with_the_nearest() -> None:
    async def case(running: TestService) -> None:
        consuming = inspection_of(running).consuming
        for asked in (
            consuming.consumers("bill:orders"),
            consuming.retry("bill:orders"),
            consuming.dead_letters("bill:orders"),
        ):
            with pytest.raises(UnknownRoute, match="did you mean bill:order"):
                await asked
        with pytest.raises(InvalidPayload, match="is no id of a dead letter"):
            await consuming.dead_letter("nonsense")
        with pytest.raises(UnknownRoute, match="there is no dead letter"):
            await consuming.dead_letter("5:bill:order/77")
        with pytest.raises(InvalidPayload, match="limit: 0"):
            await consuming.consumers("", limit=0)

    run(case)


def test_a_store_that_is_away_is_an_error_and_one_at_rest_does_nothing() -> None:
    cluster = Cluster(3)
    code = service.descriptor
    consuming = ClusterConsuming(cluster.calls, lambda: cluster.table, code, None)
    assert [each.shards for each in asyncio.run(consuming.consumers())] == [0, 0, 0]
    with pytest.raises(UnknownRoute):
        asyncio.run(consuming.retry("bill:order"))
    del cluster.methods[1]
    for asked in (consuming.consumers(), consuming.dead_letters()):
        with pytest.raises(OwnerAway):
            asyncio.run(asked)
