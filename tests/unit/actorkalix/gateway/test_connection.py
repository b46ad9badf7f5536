"""A connection: requests whose head is known are begun without the parser, others are not."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.server import ServerState

from actorkalix.gateway.connection import HEAD_TIMEOUT_S, Connection
from actorkalix.gateway.repeated import Repeated, Whole
from tests.unit.actorkalix.gateway.sample import ADD, PEN, Answers, shop

LINES = b"Host: here\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(PEN)
REQUEST = b"POST %b HTTP/1.1\r\n" % ADD.encode() + LINES + PEN
KEEP_ALIVE_S = 5
OF_ITS_OWN = re.compile(rb"x-request-id: [0-9a-f]{32}\r\n")


class Counting(Repeated):
    """Counts what it has found."""

    def __init__(self) -> None:
        super().__init__()
        self.found = 0

    def find(self, data: bytes) -> Whole | None:
        whole = super().find(data)
        self.found += whole is not None
        return whole


class Wire:
    """The other end: what was written, and whether it was closed."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(OF_ITS_OWN.sub(b"", data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str) -> None:
        return None

    def pause_reading(self) -> None:
        """There is more than can be answered."""

    def take(self) -> list[bytes]:
        """What was written since the last look."""
        written, self.written = self.written, []
        return written


class Timer:
    """A call to come."""

    def __init__(self, at_s: float, call: Callable[[], object]) -> None:
        self.at_s, self.call, self.over = at_s, call, False

    def cancel(self) -> None:
        self.over = True


class Task:
    """A task that never ends."""

    def add_done_callback(self, call: Callable[[Any], object]) -> None:
        """It never is."""


class Loop:
    """Time that goes on when it is told to."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.timers: list[Timer] = []
        self.tasks = 0

    def create_task(self, work: Coroutine[Any, Any, None]) -> Task:
        work.close()
        self.tasks += 1
        return Task()

    def time(self) -> float:
        return self.now_s

    def call_later(self, delay_s: float, call: Callable[[], object]) -> Timer:
        self.timers.append(Timer(self.now_s + delay_s, call))
        return self.timers[-1]

    def go_on(self, seconds: float) -> None:
        """Let this time pass."""
        self.now_s += seconds
        for timer in list(self.timers):
            if not timer.over and timer.at_s <= self.now_s:
                timer.over = True
                timer.call()

    @property
    def open(self) -> int:
        """Timers that are set."""
        return sum(not timer.over for timer in self.timers)


class Caller:
    """Connections to an endpoint that answers at once."""

    def __init__(self) -> None:
        self.endpoint = shop(Answers())
        self.counting = self.endpoint.repeated = Counting()
        self.loop = Loop()
        config = uvicorn.Config(
            self.endpoint,
            http=Connection,
            ws="none",
            log_config=None,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        config.load()
        self.config, self.state = config, ServerState()
        self.connect()

    def connect(self) -> None:
        """Go on with another connection."""
        loop, self.wire = cast("asyncio.AbstractEventLoop", self.loop), Wire()
        self.connection = Connection(self.config, self.state, {}, loop)
        self.connection.connection_made(cast("Any", self.wire))

    def send(self, data: bytes) -> list[bytes]:
        """What is answered to these bytes."""
        self.connection.data_received(data)
        return self.wire.take()


def test_the_second_of_a_kind_is_answered_as_the_first() -> None:
    caller = Caller()
    first, *others = [caller.send(REQUEST) for _ in range(4)]
    assert caller.counting.found == 3
    assert first[0].startswith(b"HTTP/1.1 200")
    assert others == [first] * 3
    assert caller.state.total_requests == 4


def test_another_connection_knows_it_too() -> None:
    caller = Caller()
    first = caller.send(REQUEST)
    caller.connect()
    assert caller.send(REQUEST) == first
    assert caller.counting.found == 1
    for _ in range(3):
        caller.loop.go_on(HEAD_TIMEOUT_S / 3)
        assert caller.send(REQUEST) == first
    assert not caller.wire.closed


def test_requests_in_pieces_go_to_the_parser_and_those_after_them_need_it_no_more() -> None:
    caller = Caller()
    first = caller.send(REQUEST)
    for cut in (1, 20, len(REQUEST) - len(PEN) - 1):
        assert caller.send(REQUEST[:cut]) == []
        assert caller.send(REQUEST[cut:]) == first
    assert caller.counting.found == 0
    assert caller.send(REQUEST) == first
    assert caller.send(REQUEST + REQUEST[:20]) == first
    assert caller.send(REQUEST[20:]) == first
    assert caller.counting.found == 1


def test_what_looks_like_a_request_in_the_midst_of_a_body_is_none() -> None:
    caller = Caller()
    caller.send(REQUEST)
    size = b"Content-Length: %d" % len(PEN)
    outer = REQUEST.replace(size, b"Content-Length: %d" % (len(PEN) + len(REQUEST)))
    assert caller.send(outer) == []
    assert caller.loop.tasks == 1  # for a body in pieces
    assert caller.send(REQUEST) == []
    assert caller.send(REQUEST) == []  # behind one that is not answered
    assert caller.counting.found == 0


def test_a_target_with_a_page_or_a_stream_goes_to_the_parser(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caller = Caller()
    caller.send(REQUEST)
    taken: list[tuple[str, bytes]] = []

    def takes(verb: str, target: bytes) -> bool:
        taken.append((verb, target))
        return len(taken) > 1

    monkeypatch.setattr(caller.endpoint, "takes", takes)
    assert len(caller.send(REQUEST)) == 1
    assert taken == [("POST", ADD.encode())] * 2


def test_the_last_answer_of_one_that_retires_closes() -> None:
    caller = Caller()
    caller.send(REQUEST)
    caller.connection.retire()
    (last,) = caller.send(REQUEST)
    assert caller.counting.found == 1
    assert b"\r\nconnection: close\r\n" in last
    assert caller.wire.closed


def test_an_idle_connection_is_closed_after_its_last_answer() -> None:
    caller = Caller()
    for _ in range(4):
        caller.send(REQUEST)
        assert caller.loop.open == 1
        caller.loop.go_on(KEEP_ALIVE_S - 1)
    assert not caller.wire.is_closing()
    caller.loop.go_on(1)
    assert caller.wire.is_closing()
    assert caller.loop.open == 0


def test_a_connection_is_not_idle_while_a_head_comes() -> None:
    caller = Caller()
    caller.send(REQUEST)
    caller.send(REQUEST)
    caller.loop.go_on(KEEP_ALIVE_S - 1)
    caller.send(REQUEST[:20])
    caller.loop.go_on(2)
    assert not caller.wire.closed
    caller.loop.go_on(HEAD_TIMEOUT_S)
    assert caller.wire.closed
