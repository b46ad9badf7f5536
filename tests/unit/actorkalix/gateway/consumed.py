"""A `Consuming` over nothing that tells what it was asked."""

from __future__ import annotations

from typing import Any

from actorkalix.consumer_views import (
    ConsumerView,
    DeadLetterPage,
    DeadLetterView,
    Dropped,
    ParkedView,
    Replayed,
    Retried,
)

LETTER = DeadLetterView(
    "5:bill:cart/30", "bill:cart", "cart", "c1", 3, "event", 100, 5, 2, 30, 10, 200, 900, "no"
)


class Consumed:
    """See the head of this file."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    async def consumers(self, consumer: str, *, limit: int) -> list[ConsumerView]:
        self.asked.append((consumer, limit))
        return [ConsumerView("bill:cart", subjects=(ParkedView("cart", "c1", 5, 30, 2, 9, "no"),))]

    async def retry(self, consumer: str, entity: str) -> Retried:
        self.asked.append(("retry", consumer, entity))
        return Retried(consumer, entity, 2)

    async def dead_letters(self, consumer: str, *, page: str, limit: int) -> DeadLetterPage:
        self.asked.append((consumer, page, limit))
        return DeadLetterPage([LETTER], "p2")

    async def dead_letter(self, letter: str) -> DeadLetterView:
        self.asked.append((letter,))
        return LETTER

    async def replay(self, letter: str) -> Replayed:
        self.asked.append(("replay", letter))
        return Replayed(letter, False, "no")

    async def drop(self, letter: str) -> Dropped:
        self.asked.append(("drop", letter))
        return Dropped(letter, True)
