"""What brokers deliver stands in the topic's partitions once, in order, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from actorkalix import Action, Limits, Service, subscribe, topic
from actorkalix.engine.binding import Incoming, incoming
from actorkalix.engine.topic import TopicMessage
from actorkalix.runtime.intake import Intake
from actorkalix.testkit import TestService
from actorkalix_cluster.shardhost.messages import Failure, Message, Reply

LIMITS = Limits(topic_partitions=4, event_bytes_max=2_000)


class Reader(Action, id="intake-reader", runs="inline"):
    @subscribe(topic("orders"))
    async def on_order(self, data: str) -> None: ...


service = Service("intake", components=[Reader], limits=LIMITS)


class Shaky:
    """Refuses some of what it is asked, before or after it was done."""

    def __init__(self, running: TestService, fates: Sequence[str]) -> None:
        self._running = running
        self._fates = list(fates)

    async def ask(self, message: Message, /) -> Reply:
        fate = self._fates.pop() if self._fates else "done"
        if fate == "away":
            return Reply(failure=Failure("AK3003", "unavailable", "away"))
        reply = await self._running.ask(message)
        return reply if fate == "done" else Reply(failure=Failure("AK3101", "unknown", "late"))


async def _no_wait(seconds: float) -> None:
    assert seconds > 0


def text(lane: int, number: int, subject: str, said: str = "") -> Incoming:
    made = TopicMessage(
        "", subject, "same id", "k", "text/plain", (), (said or str(number)).encode()
    )
    return Incoming(lane, number, made)


async def _left(running: TestService) -> list[tuple[int, str, str]]:
    found = await running.topic("orders").messages()
    ordered = sorted(found, key=lambda one: (one.partition, one.number))
    return [
        (one.partition, one.metadata.get("ce-subject") or "", one.data.decode()) for one in ordered
    ]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["", "a", "b", "c"])), max_size=20),
    st.lists(st.sampled_from(["away", "late", "done"]), max_size=30),
    st.integers(1, 6),
)
def test_all_is_there_once_and_in_order(
    told: list[tuple[int, str]], fates: list[str], batch: int
) -> None:
    async def case() -> None:
        messages = [text(lane, number, s) for number, (lane, s) in enumerate(told)]
        async with TestService(service) as running:
            intake = Intake(Shaky(running, fates), 4, _no_wait)
            for at in range(0, len(messages), batch):
                await intake.take("orders", "kafka orders", messages[max(0, at - 2) : at + batch])
            await intake.take("orders", "kafka orders", messages)
            found = await _left(running)
        assert len(found) == len(messages)
        for subject in ("a", "b", "c"):
            sent = [str(n) for n, (_, s) in enumerate(told) if s == subject]
            assert [data for _, s, data in found if s == subject] == sent
        for lane in range(6):
            sent = [str(n) for n, (at, s) in enumerate(told) if at == lane and not s]
            mine = [data for _, s, data in found if not s and data in sent]
            assert mine == sent

    asyncio.run(case())


def test_what_is_too_large_leaves_a_message_that_says_so() -> None:
    async def case() -> None:
        async with TestService(service) as running:
            intake = Intake(running, 4, _no_wait)
            await intake.take("orders", "k", [text(1, 1, "s", "x" * 3_000), text(1, 2, "s", "ok")])
            await intake.take("orders", "k", [text(1, 1, "s", "x" * 3_000)])
            (_, _, said), (_, _, ok) = await _left(running)
        assert said.startswith("message 1 of lane 1: AK2006")
        assert ok == "ok"

    asyncio.run(case())


def test_what_we_published_twice_is_there_once() -> None:
    async def case() -> None:
        async with TestService(service) as running:
            intake = Intake(running, 4, _no_wait)
            for number in (1, 2):
                own = incoming(number, number, [("actorkalix-id", "m1")], b"x")
                await intake.take("orders", "k", [own])
            assert len(await _left(running)) == 1
            other = msgspec.structs.replace(incoming(1, 3, [], b"y"), own="m2")
            await intake.take("orders", "k", [other])
            assert len(await _left(running)) == 2

    asyncio.run(case())
