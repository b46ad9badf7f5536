"""Requests that came whole: each is answered once, in its time, also at the end of a host."""

from __future__ import annotations

import asyncio

import pytest

from actorkalix.gateway.headers import Head
from actorkalix.gateway.http import STOPPED, Endpoint
from actorkalix.gateway.prompt import Prompt, Underway
from actorkalix_cluster.shardhost.asked import Asked
from actorkalix_cluster.shardhost.messages import Reply
from tests.unit.actorkalix.gateway.sample import ADD, PEN, Answers, Written, begun, is_problem, shop


class Wire:
    """What was answered and dropped."""

    def __init__(self) -> None:
        self.answers: list[tuple[Prompt, Reply]] = []
        self.dropped: list[Asked] = []
        self.underway = Underway(
            lambda prompt, reply: self.answers.append((prompt, reply)),
            self.dropped.append,
        )

    def add(self) -> tuple[Prompt, Asked]:
        prompt, asked = Prompt(Written(), keep_alive=True), Asked(lambda _: None)
        self.underway.add(prompt, asked)
        return prompt, asked


def test_answers_that_come_together_are_written_together() -> None:
    async def case() -> None:
        wire = Wire()
        one, other = wire.add()[0], wire.add()[0]
        wire.underway.told(one, Reply(b"1"))
        wire.underway.told(other, Reply(b"2"))
        assert (wire.answers, len(wire.underway)) == ([], 2)
        await wire.underway.empty()
        assert wire.answers == [(one, Reply(b"1")), (other, Reply(b"2"))]
        assert len(wire.underway) == 0
        await wire.underway.empty()

    asyncio.run(case())


def test_the_end_answers_all_that_wait() -> None:
    async def case() -> None:
        wire = Wire()
        told, waiting = wire.add()[0], wire.add()
        wire.underway.told(told, Reply(b"1"))
        wire.underway.stop(Reply(failure=STOPPED))
        assert wire.answers == [(told, Reply(b"1")), (waiting[0], Reply(failure=STOPPED))]
        assert wire.dropped == [waiting[1]]
        wire.underway.told(waiting[0], Reply(b"2"))
        assert len(wire.underway) == 0, "it was answered"

    asyncio.run(case())


def test_nobody_is_answered_who_has_gone_away() -> None:
    async def case() -> None:
        endpoint = shop(Answers())
        written = Written()
        prompt = Prompt(written, keep_alive=True)
        prompt.disconnected = True
        endpoint.begin(prompt, "POST", ADD.encode(), Head([]), b"")
        assert written.response is None

    asyncio.run(case())


async def held(endpoint: Endpoint, answers: Answers) -> Written:
    written = begun(endpoint, "POST", ADD, PEN)
    await answers.arrived.wait()
    assert written.response is None
    return written


def test_an_answer_that_comes_later_is_written_then() -> None:
    async def case() -> None:
        answers = Answers(held=True)
        endpoint = shop(answers)
        written = await held(endpoint, answers)
        answers.release.set()
        await endpoint.underway.empty()
        assert written.response is not None
        assert (written.response.status, written.response.body) == (200, b'{"ok":true}')

    asyncio.run(case())


def test_a_bug_of_ours_is_a_problem_too(caplog: pytest.LogCaptureFixture) -> None:
    async def case() -> None:
        answers = Answers()
        answers.raises = RuntimeError("secret")
        written = begun(shop(answers), "POST", ADD, PEN)
        assert written.response is not None
        problem = is_problem(written.response, 500, "AK9001")
        assert "secret" not in str(problem)

    asyncio.run(case())
    assert "secret" in caplog.text
