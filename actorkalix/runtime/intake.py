"""Takes messages of brokers into the partitions of their topics within.

Theory of operation. Taking a message is appending it, durably, to the partition of its subject;
then the broker is told that we have it. From there it is a message of the topic like any other, for
subscriptions and views, with their cursors, parking and lag. So a handler that fails holds up its
subjects and not the broker's topic, and a message that nobody can read waits where operators look.

A message stands in a lane of the broker's topic, with a number: under these it is appended once,
however often the broker delivers it; what we have published ourselves, under its id, however often
we have. Messages of one subject are in one partition; those without a subject are there in the
order of their lane. Partitions are worked on side by side, the messages of one one after the other,
and none before the one before it is durable: whoever waits for `take` knows that all are there, in
order.

What cannot be appended because of what it is (too large) leaves a message in its place that no
handler can read, and says why: it is never skipped in silence.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from actorkalix.engine.binding import Incoming, refused, taken_key
from actorkalix.engine.topic import partition_id, publish_order
from actorkalix.ports import Ask
from actorkalix_cluster.shardhost.messages import Message

log = logging.getLogger("actorkalix.brokers")

TELL_AFTER = 5  # attempts: some seconds
WAIT_S, WAIT_S_MAX = 0.1, 5.0
OVER = frozenset(("AK2002", "AK2006", "AK2007", "AK2008"))
"""Refusals of what a message is: sending it again ends the same."""


class Intake:
    """See the head of this file.

    Args:
        ask: answers messages to partitions, whoever has them.
        partitions: of every topic.
        sleep: waits, in seconds.
    """

    def __init__(
        self,
        ask: Ask,
        partitions: int,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._ask = ask
        self._partitions = partitions
        self._sleep = sleep

    async def take(self, topic: str, source: str, messages: Sequence[Incoming]) -> None:
        """Append messages; return when all are durable.

        Args:
            topic: its name within.
            source: which broker they are of: the same words for the same broker, always.
            messages: those of a lane in order.

        Cancellation: some may be there; they are known when they come again.
        Durability: all are on disk.
        """
        lanes: dict[str, list[tuple[Incoming, Message]]] = {}
        for one in messages:
            order = self._order(topic, source, one)
            lanes.setdefault(order.entity, []).append((one, order))
        async with asyncio.TaskGroup() as group:
            for some in lanes.values():
                group.create_task(self._append(topic, source, some))

    def _order(self, topic: str, source: str, one: Incoming) -> Message:
        order = publish_order(topic, one.message, self._partitions)
        entity = order.entity
        if not one.message.subject and not one.own:
            entity = partition_id(topic, one.lane % self._partitions)
        key = taken_key(topic, source, one)
        return msgspec.structs.replace(order, entity=entity, key=key, correlation_id=f"~{key[:24]}")

    async def _append(
        self, topic: str, source: str, some: Sequence[tuple[Incoming, Message]]
    ) -> None:
        for one, order in some:
            why = await self._appended(order)
            if why:
                log.error("%s, message %d of lane %d: %s", source, one.number, one.lane, why)
                less = self._order(topic, source, refused(one, why))
                await self._appended(msgspec.structs.replace(less, entity=order.entity))

    async def _appended(self, order: Message) -> str:
        """Append until it is there; or why that cannot be."""
        attempt, wait_s = 0, WAIT_S
        while True:
            failure = (await self._ask.ask(order)).failure
            if failure is None:
                return ""
            if failure.number in OVER:
                return f"{failure.number} {failure.message}"
            attempt += 1
            if attempt % TELL_AFTER == 0:
                log.warning(
                    "a message for %s is not taken yet, attempt %d: %s %s",
                    *(order.entity, attempt, failure.number, failure.message),
                )
            await self._sleep(wait_s)
            wait_s = min(2 * wait_s, WAIT_S_MAX)
