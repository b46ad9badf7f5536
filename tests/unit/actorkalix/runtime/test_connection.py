"""Sending again where that is safe, and from threads without an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from actorkalix import CommandError, Reply
from actorkalix.errors import (
    ActorkalixError,
    DurabilityLost,
    HandlerFailed,
    InvalidPayload,
    NotCommitted,
    OutcomeUnknown,
    Overloaded,
    StoreFull,
)
from actorkalix.model.transport import Request
from actorkalix.runtime.connection import (
    BACKOFF_MAX_S,
    Connection,
    LoopThread,
    may_send_again,
    send_with_retries,
)


class Line:
    """A transport that fails as it is told, then replies."""

    def __init__(self, *errors: Exception) -> None:
        self._errors: Iterator[Exception] = iter(errors)
        self.attempts = 0

    async def send(self, request: Request, /) -> Reply[Any]:
        self.attempts += 1
        for error in self._errors:
            raise error
        return Reply("done")

    async def aclose(self) -> None: ...


def request(attempts_max: int = 5, key: str | None = None) -> Request:
    return Request(object, "e", "m", idempotency_key=key, attempts_max=attempts_max)


def sent(line: Line, what: Request, jitter: float = 1.0) -> tuple[Any, list[float]]:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    reply = asyncio.run(send_with_retries(line, what, sleep=sleep, jitter=lambda: jitter))
    return reply.value, waits


def test_waits_double_up_to_a_bound() -> None:
    line = Line(*[Overloaded("busy")] * 9)
    value, waits = sent(line, request(10))
    assert value == "done"
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, BACKOFF_MAX_S, BACKOFF_MAX_S]
    assert sent(Line(Overloaded("busy")), request(), jitter=0.0)[1] == [0.05]


def test_the_service_says_how_long_to_wait() -> None:
    busy = Overloaded("busy")
    busy.retry_after_ms = 3000
    assert sent(Line(busy), request())[1] == [3.0]


def test_the_last_error_is_raised_after_attempts_max() -> None:
    line = Line(*[Overloaded("busy")] * 9)
    with pytest.raises(Overloaded):
        sent(line, request(3))
    assert line.attempts == 3


def test_one_attempt_is_the_default() -> None:
    line = Line(Overloaded("busy"))
    with pytest.raises(Overloaded):
        sent(line, Request(object, "e", "m"))
    assert line.attempts == 1


@pytest.mark.parametrize("error", [Overloaded("x"), NotCommitted("x"), StoreFull("x")])
def test_what_was_not_executed_is_sent_again(error: ActorkalixError) -> None:
    assert may_send_again(error, request())


@pytest.mark.parametrize("error", [OutcomeUnknown("x"), DurabilityLost("x")])
def test_an_unknown_outcome_is_sent_again_only_under_a_key(error: ActorkalixError) -> None:
    assert not may_send_again(error, request())
    assert may_send_again(error, request(key="k"))


@pytest.mark.parametrize("error", [CommandError("no"), InvalidPayload("x"), HandlerFailed("x")])
def test_answers_are_not_asked_for_again(error: ActorkalixError) -> None:
    assert not may_send_again(error, request(key="k"))


def test_other_exceptions_are_raised_at_once() -> None:
    line = Line(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        sent(line, request())
    assert line.attempts == 1


def test_a_loop_thread_gives_values_and_errors_and_ends() -> None:
    thread = LoopThread()

    async def name() -> str:
        return threading.current_thread().name

    async def broken() -> None:
        raise TimeoutError("its own")

    assert thread.wait(name()) == "actorkalix-client"
    with pytest.raises(TimeoutError, match="its own"):
        thread.wait(broken(), 5.0)
    thread.stop()
    assert all(other.name != "actorkalix-client" for other in threading.enumerate())


def test_an_answer_that_does_not_come_is_cancelled() -> None:
    thread = LoopThread()
    cancelled = threading.Event()

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(OutcomeUnknown, match=r"no reply within 0\.01 s"):
        thread.wait(never(), 0.01)
    assert cancelled.wait(5)
    thread.stop()


def test_a_connection_is_entered_once() -> None:
    connection = Connection(Line)
    connection.start_thread()
    with pytest.raises(RuntimeError, match="entered already"):
        connection.start_thread()
    assert connection.send_and_wait(request(), timedelta(seconds=5)).value == "done"
    connection.close()
    with pytest.raises(RuntimeError, match="closed"):
        connection.start_thread()
