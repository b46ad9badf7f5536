"""The server on loopback, as callers of all kinds see it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import uvloop

from actorkalix.errors import PortTaken
from actorkalix.gateway import connection as connection_module
from actorkalix.gateway.server import Server, bind
from actorkalix.limits import Limits
from tests.unit.actorkalix.gateway.sample import Answers, shop

ADD = b"POST /shopping-cart/c1/add-item HTTP/1.1\r\nhost: localhost\r\n"
JSON = b"content-type: application/json\r\n"
PEN = b'{"product":"pen"}'
WHOLE = ADD + JSON + b"content-length: %d\r\n\r\n%b" % (len(PEN), PEN)


class Caller:
    """A connection on which every byte is the test's own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, raw: bytes) -> None:
        self.writer.write(raw)

    async def response(self, *, head: bool = False) -> tuple[int, bytes, bytes]:
        """Status, headers in lower case, body."""
        start = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        status, _, headers = start.partition(b"\r\n")
        size = 0
        for line in headers.split(b"\r\n"):
            name, _, value = line.partition(b": ")
            size = int(value) if name == b"content-length" and not head else size
        return int(status.split()[1]), headers, await self.reader.readexactly(size)

    async def closed(self) -> bool:
        with contextlib.suppress(ConnectionError):
            return await self.reader.read(1) == b""
        return True


class Running:
    """A server of the sample shop."""

    def __init__(self, answers: Answers, limits: Limits) -> None:
        self.answers = answers
        listening = bind("127.0.0.1", 0)
        self.port: int = listening.getsockname()[1]
        self.server = Server(shop(answers, limits=limits), [listening])

    @asynccontextmanager
    async def caller(self) -> AsyncGenerator[Caller, None]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield Caller(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


def serving(
    test: Callable[[Running], Awaitable[None]],
    *,
    held: bool = False,
    limits: Limits | None = None,
) -> None:
    """Runs a test against a server on a loop of uvloop's; afterwards it still answers."""

    async def run() -> None:
        running = Running(Answers(held=held), limits or Limits())
        await running.server.start()
        try:
            await test(running)
            if not held:
                async with running.caller() as caller:
                    caller.send(WHOLE)
                    assert (await caller.response())[0] == 200
        finally:
            await running.server.stop(5)

    uvloop.run(run())


def test_keep_alive_and_pipelining() -> None:
    async def test(running: Running) -> None:
        async with running.caller() as caller:
            caller.send(WHOLE * 3 + b"GET /carts/c1 HTTP/1.1\r\nhost: a\r\n\r\n" + WHOLE[:40])
            for _ in range(4):
                status, headers, body = await caller.response()
                assert (status, body) == (200, b'{"ok":true}')
                assert headers.startswith(b"date: ")
                assert b"server:" not in headers
            caller.send(WHOLE[40:])
            assert (await caller.response())[0] == 200
        assert [message.method for message in running.answers.asked[:4]] == [
            *["add_item"] * 3,
            "get_cart",
        ]

    serving(test)


@pytest.mark.parametrize("chunked", [False, True])
def test_body_of_1_1_mb(chunked: bool) -> None:
    async def test(running: Running) -> None:
        body = b'"' + b"x" * 1_100_000 + b'"'
        async with running.caller() as caller:
            if chunked:
                framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
                caller.send(ADD + JSON + b"transfer-encoding: chunked\r\n\r\n" + framed)
            else:
                caller.send(ADD + JSON + b"content-length: %d\r\n\r\n" % len(body) + body)
            status, _, problem = await caller.response()
            assert status == 413
            assert b"payload_bytes_max is 1,000,000" in problem
            caller.send(WHOLE)
            assert (await caller.response())[0] == 200

    serving(test)


def test_body_of_the_limit_arrives() -> None:
    async def test(running: Running) -> None:
        body = b'"' + b"x" * 999_998 + b'"'
        async with running.caller() as caller:
            caller.send(ADD + JSON + b"content-length: %d\r\n\r\n" % len(body) + body)
            assert (await caller.response())[0] == 200
        assert running.answers.asked[0].payload == body

    serving(test)


def test_refused_body_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "UNWANTED_BYTES_MAX", 100_000)

    async def test(running: Running) -> None:
        async with running.caller() as caller:
            caller.send(ADD + JSON + b"content-length: 9000000\r\n\r\n")
            assert (await caller.response())[0] == 413
            caller.send(b"x" * 200_000)
            assert await caller.closed()

    serving(test)


def test_slow_body_is_408_and_closed() -> None:
    async def test(running: Running) -> None:
        async with running.caller() as caller:
            caller.send(ADD + JSON + b"content-length: 10\r\n\r\n{")
            status, headers, problem = await caller.response()
            assert (status, b"connection: close" in headers) == (408, True)
            assert b"AK2013" in problem
            assert await caller.closed()

    serving(test, limits=Limits(body_timeout=timedelta(milliseconds=200)))


def test_head_by_drops_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "HEAD_TIMEOUT_S", 0.05)

    async def test(running: Running) -> None:
        async with running.caller() as silent, running.caller() as slow:
            slow.send(ADD)
            assert await silent.closed()
            assert await slow.closed()
        async with running.caller() as second:
            second.send(WHOLE + ADD)
            assert (await second.response())[0] == 200
            assert await second.closed()

    serving(test)


@pytest.mark.parametrize(
    "raw, status",
    [
        (ADD + b"x-long: " + b"x" * 300_000 + b"\r\n\r\n", (400, 431)),
        (ADD + b"x-many: 1\r\n" * 30_000 + b"\r\n", (400, 431)),
        (b"POST /%zz/c1/add-item HTTP/1.1\r\nhost: a\r\n\r\n", (400,)),
        (b"POST /shopping-cart/%ff/add-item HTTP/1.1\r\nhost: a\r\n\r\n", (400,)),
        (b"POST /shopping-cart/%01/add-item HTTP/1.1\r\nhost: a\r\n\r\n", (400,)),
        (b"POST /shopping-cart/" + b"a" * 257 + b"/add-item HTTP/1.1\r\nhost: a\r\n\r\n", (400,)),
        (b"POST /shopping-cart/\xff\xfe/add-item HTTP/1.1\r\nhost: a\r\n\r\n", (400,)),
        (b"GET /shopping-cart/../../etc/passwd HTTP/1.1\r\nhost: a\r\n\r\n", (404,)),
        (b"GET http://[/x HTTP/1.1\r\nhost: a\r\n\r\n", (400, 404)),
        (b"OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n", (400, 404)),
        (b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n", (400, 404, 405)),
        (b"BREW / HTTP/1.1\r\nhost: a\r\n\r\n", (400, 404)),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", (400,)),
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", (400,)),
        (ADD + b"content-length: 5\r\ncontent-length: 6\r\n\r\n{}", (400,)),
        (ADD + b"content-length: -1\r\n\r\n", (400,)),
        (ADD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", (400,)),
        (ADD + b"idempotency-key: a\r\nidempotency-key: b\r\n\r\n", (400,)),
        (
            ADD + b"connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 0\r\n\r\n",
            (200, 400),
        ),
    ],
)
def test_bad_requests_harm_nobody(raw: bytes, status: tuple[int, ...]) -> None:
    async def test(running: Running) -> None:
        async with running.caller() as caller:
            caller.send(raw)
            assert (await caller.response())[0] in status

    serving(test)


def test_head_has_the_headers_of_get_alone() -> None:
    async def test(running: Running) -> None:
        async with running.caller() as caller:
            caller.send(b"HEAD /carts/c1 HTTP/1.1\r\nhost: a\r\n\r\n" + WHOLE)
            status, headers, _ = await caller.response(head=True)
            assert (status, b"content-length: 11" in headers) == (200, True)
            assert (await caller.response())[0] == 200

    serving(test)


def test_expect_continue() -> None:
    async def test(running: Running) -> None:
        async with running.caller() as caller:
            length = b"content-length: %d\r\n" % len(PEN)
            caller.send(ADD + JSON + length + b"expect: 100-continue\r\n\r\n")
            assert (await caller.response())[0] == 100
            caller.send(PEN)
            assert (await caller.response())[0] == 200

    serving(test)


def test_a_caller_that_goes_away_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async def test(running: Running) -> None:
        async with running.caller() as caller:
            caller.send(WHOLE)
            await running.answers.arrived.wait()
        async with running.caller() as caller:
            caller.send(ADD + JSON + b"content-length: 10\r\n\r\n{")
        running.answers.release.set()
        async with running.caller() as caller:
            caller.send(WHOLE)
            assert (await caller.response())[0] == 200

    with caplog.at_level(logging.ERROR):
        serving(test, held=True)
    assert caplog.text == ""


def test_drain_answers_what_runs_and_closes_all() -> None:
    async def test(running: Running) -> None:
        async with running.caller() as idle, running.caller() as busy:
            busy.send(WHOLE * 2)
            await running.answers.arrived.wait()
            stopping = asyncio.create_task(running.server.stop(5))
            assert await idle.closed()
            with pytest.raises(OSError):
                await asyncio.open_connection("127.0.0.1", running.port)
            running.answers.release.set()
            assert (await busy.response())[0] == 200
            assert (await busy.response())[0] == 200
            assert await busy.closed()
            await stopping

    serving(test, held=True)


def test_drain_that_takes_too_long_says_that_the_outcome_is_unknown() -> None:
    async def test(running: Running) -> None:
        async with running.caller() as caller:
            caller.send(WHOLE)
            await running.answers.arrived.wait()
            await running.server.stop(0.01)
            status, _, problem = await caller.response()
            assert (status, b'"outcome":"unknown"' in problem) == (503, True)
            assert await caller.closed()

    serving(test, held=True)


def test_what_is_pipelined_behind_it_does_not_hold_up_the_end() -> None:
    async def test(running: Running) -> None:
        async with running.caller() as caller:
            caller.send(WHOLE * 2)
            await running.answers.arrived.wait()
            await running.server.stop(0.01)
            assert (await caller.response())[0] == 503
            assert await caller.closed()
        assert len(running.answers.asked) == 1, "the second one was never begun"

    serving(test, held=True)


def test_a_request_in_pieces_is_answered_as_a_whole_one() -> None:
    async def test(running: Running) -> None:
        at = WHOLE.index(b"\r\n\r\n") + 4
        async with running.caller() as caller:
            for cuts in ((at,), (at + 3,), (30, at + 1, at + 5), (at - 2, at + 1)):
                for start, end in zip((0, *cuts), (*cuts, len(WHOLE)), strict=True):
                    caller.send(WHOLE[start:end])
                    await caller.writer.drain()
                    await asyncio.sleep(0)
                assert (await caller.response())[0] == 200
        assert [message.payload for message in running.answers.asked] == [PEN] * 4

    serving(test)


def test_a_caller_who_wants_to_be_asked_for_the_body_is() -> None:
    async def test(running: Running) -> None:
        async with running.caller() as caller:
            head = b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(PEN)
            caller.send(ADD + JSON + head)
            assert (await caller.response(head=True))[0] == 100
            caller.send(PEN)
            assert (await caller.response())[0] == 200

    serving(test)


@pytest.mark.parametrize("pieces", [1, 2])
def test_what_comes_behind_a_body_is_no_header(pieces: int) -> None:
    async def test(running: Running) -> None:
        chunk = b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(PEN), PEN)
        trailer = b"0\r\nidempotency-key: k\r\n\r\n"
        async with running.caller() as caller:
            caller.send(ADD + JSON + chunk + (trailer if pieces == 1 else b""))
            if pieces == 2:
                await caller.writer.drain()
                await asyncio.sleep(0)
                caller.send(trailer)
            assert (await caller.response())[0] == 200
        assert [message.key for message in running.answers.asked] == [""]

    serving(test)


def test_the_connection_is_closed_where_the_caller_wants_it() -> None:
    async def test(running: Running) -> None:
        async with running.caller() as caller:
            caller.send(WHOLE.replace(b"host:", b"connection: close\r\nhost:"))
            status, headers, _ = await caller.response()
            assert (status, b"connection: close" in headers) == (200, True)
            assert await caller.closed()

    serving(test)


def test_a_taken_port_is_an_error_that_says_what_to_do() -> None:
    with bind("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"{port} .* --admin-port"):
            bind("127.0.0.1", port, "--admin-port")
        assert first.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) == 0
    bind("127.0.0.1", port).close()


@pytest.mark.parametrize("host", ["203.0.113.7"])
def test_an_address_that_is_not_ours(host: str) -> None:
    with pytest.raises(PortTaken, match=host):
        bind(host, 0)
