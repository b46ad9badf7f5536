"""What workers ask of a host: answered in calls that wait, of which there are never too many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from actorkalix_cluster.rayhost.errands import Heard, Question, Said
from actorkalix_cluster.rayhost.exchange import CALLS_WAITING_MAX, Exchange


class Service:
    """Answers a question when it is told to."""

    def __init__(self) -> None:
        self.open: dict[bytes, asyncio.Future[bytes]] = {}
        self.asked = asyncio.Event()

    async def answer(self, text: bytes) -> bytes:
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.open[text] = future
        self.asked.set()
        return await future

    async def when_asked(self, text: bytes) -> None:
        while text not in self.open:
            self.asked.clear()
            await self.asked.wait()

    async def say(self, text: bytes, answer: bytes) -> None:
        await self.when_asked(text)
        self.open[text].set_result(answer)


def run(work: Callable[[Exchange, Service], Coroutine[Any, Any, None]]) -> None:
    async def inside() -> None:
        service = Service()
        await work(Exchange(service.answer), service)

    asyncio.run(inside())


def question(batch: int, *numbers: int) -> Said:
    questions = tuple(Question(number, b"%d" % number) for number in numbers)
    return Said(batch, questions, waits=True)


def test_a_call_returns_when_one_of_its_questions_is_answered() -> None:
    async def work(exchange: Exchange, service: Service) -> None:
        exchange.open(1)
        call = asyncio.create_task(exchange.hear(question(1, 1, 2)))
        await service.say(b"2", b"two")
        assert await call == Heard(((2, b"two"),))
        again = asyncio.create_task(exchange.hear(Said(1, waits=True)))
        await service.say(b"1", b"one")
        assert await again == Heard(((1, b"one"),))

    run(work)


def test_a_new_call_of_the_same_worker_lets_the_older_one_go() -> None:
    async def work(exchange: Exchange, service: Service) -> None:
        exchange.open(1)
        older = asyncio.create_task(exchange.hear(question(1, 1)))
        await service.when_asked(b"1")
        newer = asyncio.create_task(exchange.hear(question(1, 2)))
        assert await older == Heard()
        await service.say(b"1", b"one")
        assert await newer == Heard(((1, b"one"),))

    run(work)


def test_an_answer_that_came_between_two_calls_is_there_at_once() -> None:
    async def work(exchange: Exchange, service: Service) -> None:
        exchange.open(1)
        await exchange.hear(Said(1, (Question(1, b"1"),)))
        await service.say(b"1", b"one")
        assert await exchange.hear(Said(1, waits=True)) == Heard(((1, b"one"),))
        assert await exchange.hear(Said(1, waits=True)) == Heard(), "nothing is open"

    run(work)


def test_when_an_errand_is_over_nobody_waits_and_nobody_is_heard() -> None:
    async def work(exchange: Exchange, service: Service) -> None:
        exchange.open(1)
        call = asyncio.create_task(exchange.hear(question(1, 1)))
        await service.when_asked(b"1")
        exchange.close(1)
        assert await call == Heard()
        assert await exchange.hear(question(1, 2)) == Heard()
        assert b"2" not in service.open

    run(work)


@pytest.mark.parametrize("more", [1, 5])
def test_calls_that_wait_are_bounded_the_oldest_goes(more: int) -> None:
    async def work(exchange: Exchange, service: Service) -> None:
        calls: list[asyncio.Task[Heard]] = []
        for number in range(CALLS_WAITING_MAX + more):
            exchange.open(number)
            calls.append(asyncio.create_task(exchange.hear(question(number, number))))
            await service.when_asked(b"%d" % number)
        released = [await call for call in calls[:more]]
        assert released == [Heard()] * more
        assert not any(call.done() for call in calls[more:])
        for number in range(more, CALLS_WAITING_MAX + more):
            await service.say(b"%d" % number, b"!")
        assert [len((await call).answers) for call in calls[more:]] == [1] * CALLS_WAITING_MAX

    run(work)
