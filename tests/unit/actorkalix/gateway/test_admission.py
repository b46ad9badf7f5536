"""Who is let in, and who is refused while that costs little."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable

import msgspec

from actorkalix.gateway.admission import CROWD, Admission
from actorkalix_cluster.shardhost.asked import Asked
from actorkalix_cluster.shardhost.messages import Message, MessageKind, Reply
from actorkalix_cluster.shardhost.ticket import Tell
from examples.shopping_cart.service import service

NOW_MS = 1_000_000.0
COMMAND = Message(MessageKind.COMMAND, "shopping-cart", "c1", "checkout", b"")


class Host:
    """Answers when it is told to; `now_s` is its clock."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.dropped: list[Asked] = []
        self.at_once: Reply | None = None
        self.now_s = 0.0
        self.admission = Admission(
            self, service.descriptor, now_s=lambda: self.now_s, now_ms=lambda: NOW_MS
        )

    def begin(self, message: Message, tell: Tell, /) -> Reply | Asked:
        if self.at_once is not None:
            return self.at_once
        self.asked.append(Asked(tell))
        return self.asked[-1]

    def drop(self, asked: Asked, /) -> None:
        self.dropped.append(asked)

    async def ask(self, message: Message, elements: AsyncIterator[bytes] | None = None, /) -> Reply:
        return Reply(b"asked")

    async def stream(
        self, message: Message, elements: AsyncIterator[bytes] | None = None, /
    ) -> AsyncGenerator[Reply]:
        yield Reply(b"streamed")

    # ---- what a test does ---------------------------------------------------------------------
    def send(self, count: int, timeout_ms: float = 250, message: Message = COMMAND) -> int:
        """So many come; how many were let in."""
        if timeout_ms:
            message = msgspec.structs.replace(message, deadline_ms=int(NOW_MS + timeout_ms))
        found = [self.admission.begin(message, _nobody) for _ in range(count)]
        for each in found:
            if isinstance(each, Reply):
                assert each.failure is not None
                assert (each.failure.number, each.failure.outcome) == ("AK3001", "not_executed")
                assert each.failure.retry_after_ms > 0
        return sum(isinstance(each, Asked) for each in found)

    def answer(self, count: int, each_ms: float) -> None:
        for _ in range(count):
            self.now_s += each_ms / 1_000
            self.asked.pop(0).tell(Reply())

    def settled(self, each_ms: float) -> Host:
        """It is known how long an answer takes."""
        self.send(CROWD + 1_000, 0)
        self.answer(1_000, each_ms)
        self.answer(len(self.asked), each_ms)
        return self


def _nobody(reply: Reply) -> None:
    """Does not look at an answer."""


def test_the_first_crowd_is_let_in() -> None:
    assert Host().send(5_000) == 5_000


def test_then_as_many_are_let_in_as_are_answered_in_half_of_their_time() -> None:
    host = Host().settled(1.0)
    assert 120 <= host.send(5_000, 250) <= 127
    assert host.admission.refused > 4_800
    host.answer(100, 1.0)
    assert 95 <= host.send(5_000, 250) <= 105


def test_whoever_has_more_time_is_let_in_later() -> None:
    host = Host().settled(1.0)
    host.send(5_000, 250)
    assert host.send(1) == 0
    assert host.send(1, 2_000) == 1
    assert host.send(1, 0) == 1, "without a deadline nobody is too late"


def test_a_small_crowd_is_let_in_however_slow_the_host_was() -> None:
    host = Host().settled(1_000.0)
    assert host.send(CROWD, 100) == CROWD
    assert host.send(10, 100) < 10, "half of it is forgotten, for it is seconds old"


def test_a_host_that_stood_still_lets_in_again_soon() -> None:
    host = Host().settled(2_000.0)
    for _ in range(8):
        assert host.send(64, 5_000) <= 64
        host.answer(len(host.asked), 0.1)
        host.now_s += 0.25
    assert host.send(64, 5_000) == 64


def test_a_host_that_has_become_faster_is_given_more() -> None:
    host = Host().settled(10.0)
    few = host.send(5_000)
    host.send(500, 0)
    for _ in range(10):
        host.answer(150, 1.0)
        host.send(150, 0)
    host.answer(len(host.asked), 1.0)
    assert host.send(5_000) > few * 2


def test_what_is_answered_at_once_does_not_wait() -> None:
    host = Host().settled(1.0)
    host.at_once = Reply(b"here")
    for _ in range(1_000):
        assert host.admission.begin(COMMAND, _nobody) is host.at_once
    host.at_once = None
    assert host.send(5_000) > 100


def test_views_and_what_hosts_ask_each_other_are_not_looked_at() -> None:
    host = Host().settled(1.0)
    host.send(5_000)
    waiting = len(host.asked)
    step = msgspec.structs.replace(COMMAND, kind=MessageKind.STEP)
    assert host.send(3, 250, step) == 3
    assert len(host.asked) == waiting + 3


def test_everything_else_is_handed_on() -> None:
    async def case() -> None:
        host = Host()
        assert (await host.admission.ask(COMMAND)).payload == b"asked"
        assert [each.payload async for each in host.admission.stream(COMMAND)] == [b"streamed"]
        told: list[Reply] = []
        keep: Callable[[Reply], object] = told.append
        asked = host.admission.begin(COMMAND, keep)
        assert isinstance(asked, Asked)
        host.answer(1, 1.0)
        assert len(told) == 1
        host.admission.drop(asked)
        assert host.dropped == [asked]

    asyncio.run(case())


def test_who_has_gone_does_not_wait() -> None:
    host = Host().settled(1.0)
    host.answer(len(host.asked), 1.0)
    for _ in range(3):
        assert host.send(200) > 100
        gone, host.asked = host.asked, []
        for each in gone:
            host.admission.drop(each)
    assert host.send(200) > 100
    told = host.asked[0]
    host.answer(1, 1.0)
    before = len(host.asked)
    host.admission.drop(told)  # it was told, and counts once
    host.answer(before, 1.0)
    assert host.send(CROWD, 0) == CROWD
