"""Consumers of a store at rest are known by their cursors."""

from __future__ import annotations

import asyncio

from actorkalix.consumer_views import ConsumerView, ParkedView
from actorkalix.runtime.consumer_listing import (
    ConsumersAsked,
    consumers_at_rest,
    longest,
    merged_view,
)
from actorkalix.testkit import TestService
from tests.unit.actorkalix.runtime.failing import LONG, SOON, Mail, Orders, mend, service

ASKED = ConsumersAsked("mail:order", 10)


def test_a_store_at_rest_shows_cursors_and_what_is_parked() -> None:
    async def case() -> None:
        mend()
        async with TestService(service) as running:
            assert consumers_at_rest(running._store, lambda _: True, ASKED) == []
            Mail.broken = {"o1"}
            for name in ("o1", "o2"):
                await running.client.entity(Orders, name).pay(1)
            await running.advance(SOON)
            found = {
                view.consumer: view
                for view in consumers_at_rest(running._store, lambda _: True, ASKED)
            }
            mail, bill = found["mail:order"], found["bill:order"]
            assert (mail.shards, mail.parked, mail.behind) == (2, 1, 0)
            (subject,) = mail.subjects
            assert (subject.component, subject.entity, subject.attempts) == ("order", "o1", 1)
            assert "no such address" in subject.failure
            assert (bill.parked, bill.subjects) == (0, ())
            await running.client.entity(Orders, "o2").pay(1)  # its cursors are not written yet
            found = {
                view.consumer: view
                for view in consumers_at_rest(running._store, lambda _: True, ASKED)
            }
            assert found["mail:order"].behind >= 1
            assert consumers_at_rest(running._store, lambda _: False, ASKED) == []
            mend()
            await running.advance(LONG)
            (mail,) = [
                view
                for view in consumers_at_rest(running._store, lambda _: True, ASKED)
                if view.consumer == "mail:order"
            ]
            assert (mail.parked, mail.behind) == (0, 0)

    asyncio.run(case())


def test_parts_become_one() -> None:
    first = ParkedView("cart", "a", 1, 3, 2, since_ms=50, failure="no")
    second = ParkedView("cart", "b", 2, 3, 2, since_ms=40, failure="no")
    merged = merged_view(
        [
            ConsumerView("c", "mail", "cart"),
            ConsumerView("c", shards=2, behind=3, handled=5, failure="old", failed_ms=7),
            ConsumerView(
                *("c", "", "", 4, 1),
                parked=2,
                paused_until_ms=90,
                failure="new",
                failed_ms=8,
                subjects=(first, second),
            ),
        ],
        limit=1,
    )
    assert merged == ConsumerView(
        *("c", "mail", "cart", 6, 4, 0, 2, 90, 5, 0, 0, "new", 8, (second,))
    )
    assert longest([first, second], 5) == (second, first)
