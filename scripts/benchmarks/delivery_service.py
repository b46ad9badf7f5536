"""The service under the benchmarks of deliveries: who takes events and messages, many at once."""

from __future__ import annotations

import asyncio
from time import perf_counter

from actorkalix import Action, Service, subscribe, topic

from .service import Added, Counter

BATCH_MAX = 1_000


class Taken:
    """What was taken, and when.

    Attributes:
        count: of events or messages.
        at: when the event with this amount was taken.
    """

    def __init__(self) -> None:
        self.count = 0
        self.at: dict[int, float] = {}
        self._wanted = 0
        self._reached = asyncio.Event()

    def took(self, amounts: list[int]) -> None:
        """These were taken."""
        now = perf_counter()
        self.count += len(amounts)
        self.at.update(dict.fromkeys(amounts, now))
        if self.count >= self._wanted:
            self._reached.set()

    async def reach(self, count: int) -> None:
        """Return when so many are taken."""
        self._wanted = count
        if self.count < count:
            self._reached.clear()
            await self._reached.wait()


class Follower(Action, id="follower", runs="inline"):
    """Takes the events of counters."""

    taken = Taken()

    @subscribe(Counter, batch_max=BATCH_MAX)
    async def on_added(self, events: list[Added]) -> None:
        Follower.taken.took([event.amount for event in events])


class Reader(Action, id="reader", runs="inline"):
    """Takes the messages of a topic."""

    taken = Taken()

    @subscribe(topic("numbers", Added), batch_max=BATCH_MAX)
    async def on_number(self, messages: list[Added]) -> None:
        Reader.taken.took([message.amount for message in messages])


service = Service("bench", components=[Counter, Follower, Reader])
