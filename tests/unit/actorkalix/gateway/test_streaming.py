"""Streams over HTTP against a real server: events, errors, heartbeats, callers that go away."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, cast

import httpx
import pytest

from actorkalix import Client, CommandError
from actorkalix.errors import InvalidPayload, OutcomeUnknown
from actorkalix.gateway import streaming
from actorkalix.gateway.http import http_app
from actorkalix.gateway.server import Server, bind
from actorkalix.testkit import TestService
from tests.unit.actorkalix.runtime.errands import BEGUN, ENDED, Errands, Intake, Sum, Tally, service

SOCKET_BYTES = 16_384  # the kernel's buffers hold megabytes otherwise
Test = Callable[[str, Server], Awaitable[None]]


def serving(test: Test) -> None:
    """Runs a test against the errands over HTTP."""

    async def main() -> None:
        BEGUN.clear()
        ENDED.clear()
        async with TestService(service) as running:
            assert running._dispatch is not None
            listening = bind("127.0.0.1", 0)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            app = http_app(
                service.descriptor, running._dispatch, limits=service.limits, ready=lambda: True
            )
            server = Server(app, [listening])
            await server.start()
            try:
                await test(url, server)
            finally:
                await server.stop(1)

    asyncio.run(main())


def calling(test: Callable[[Client], Awaitable[None]]) -> None:
    async def with_client(url: str, _: Server) -> None:
        async with Client(url) as client:
            await test(client)

    serving(with_client)


def asking(test: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    async def with_http(url: str, _: Server) -> None:
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            await test(http)

    serving(with_http)


def test_elements_are_events_and_an_error_is_the_last() -> None:
    async def test(http: httpx.AsyncClient) -> None:
        answer = await http.get("/numbers", params={"to": 2, "then": "refuse"})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["x-request-id"]
        first, second, error, rest = answer.text.split("\n\n")
        assert (first, second) == ('id: 0\ndata: {"total":0}', 'id: 1\ndata: {"total":1}')
        name, data = error.split("\n")
        assert name == "event: error"
        problem = json.loads(data.removeprefix("data: "))
        assert (problem["status"], problem["detail"]) == (400, "enough")
        assert (problem["instance"], rest) == ("/numbers", "")

    asking(test)


def test_what_is_refused_before_the_first_element_has_a_status_of_its_own() -> None:
    async def test(http: httpx.AsyncClient) -> None:
        for query in ({"to": "x"}, {}):
            answer = await http.get("/numbers", params=query)
            assert answer.status_code == 400
            assert answer.json()["number"] == "AK2002"
        answer = await http.get("/numbers", params={"to": 0, "then": "refuse"})
        assert (answer.status_code, answer.json()["detail"]) == (400, "enough")
        answer = await http.get("/numbers", params={"to": 0})
        assert (answer.status_code, answer.text) == (200, "")

    asking(test)


def test_a_head_runs_no_handler() -> None:
    async def test(http: httpx.AsyncClient) -> None:
        answer = await http.head("/numbers", params={"to": 2})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
        assert ENDED == []

    asking(test)


def test_the_client_reads_them() -> None:
    async def test(client: Client) -> None:
        numbers = aiter(client.action(Errands).numbers(2, "refuse"))
        assert [await anext(numbers), await anext(numbers)] == [Sum(0), Sum(1)]
        with pytest.raises(CommandError, match="enough") as caught:
            await anext(numbers)
        assert caught.value.code == "out_of_range"
        with pytest.raises(InvalidPayload, match="to: "):
            await anext(aiter(cast("Any", client.action(Errands)).numbers("\u2028")))

    calling(test)


def test_a_caller_that_leaves_ends_the_handler() -> None:
    """AC-03."""

    async def test(client: Client) -> None:
        async with aclosing(aiter(client.action(Errands).numbers(1, "wait"))) as numbers:
            assert await anext(numbers) == Sum(0)
        await _until(lambda: ENDED == ["numbers"])

    calling(test)


@pytest.mark.parametrize("headers", [{}, {"expect": "100-continue"}])  # at once, and by events
def test_one_that_waits_for_a_single_answer_and_leaves_ends_it_too(
    headers: dict[str, str],
) -> None:
    async def test(http: httpx.AsyncClient) -> None:
        waiting = asyncio.create_task(http.post("/errands/never", headers=headers))
        await _until(lambda: BEGUN == ["never"])
        waiting.cancel()
        await asyncio.wait([waiting])
        await _until(lambda: ENDED == ["never"])

    asking(test)


def test_one_that_leaves_in_the_midst_of_its_stream_ends_the_handler(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def endless() -> AsyncGenerator[Sum]:
        yield Sum(1)
        await asyncio.Event().wait()

    async def test(client: Client) -> None:
        sending = asyncio.ensure_future(_await(client.action(Intake).total(endless())))
        await _until(lambda: BEGUN == ["total"])
        sending.cancel()
        await asyncio.wait([sending])
        await _until(lambda: "total" in ENDED)

    calling(test)
    assert caplog.text == ""


def test_streams_come_in_by_lines() -> None:
    async def test(client: Client) -> None:
        assert await client.action(Intake).total(_flow(1, 2, 3), 2) == 5
        echoed = client.action(Intake).echo(3, _flow(1, 2))
        assert [each async for each in echoed] == [Sum(3), Sum(6)]

    calling(test)


def test_lines_that_do_not_fit_are_refused_by_number() -> None:
    async def test(http: httpx.AsyncClient) -> None:
        lines = {"content-type": "application/x-ndjson"}
        good = b'{"total":1}\n\n{"total":2}'
        answer = await http.post("/intake/total?least=2", content=good, headers=lines)
        assert answer.text == "2"
        answer = await http.post("/intake/total", content=good + b'\n{"total"', headers=lines)
        assert answer.json()["detail"].startswith("line 3: body: not valid JSON")
        answer = await http.post("/intake/total", content=good, headers={})
        assert (answer.status_code, answer.json()["number"]) == (415, "AK2002")
        long = b"1" * 1_000_001
        answer = await http.post("/intake/total", content=long, headers=lines)
        assert (answer.status_code, answer.json()["number"]) == (413, "AK2006")

    asking(test)


def test_a_heartbeat_opens_a_silent_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "HEARTBEAT_S", 0.01)

    async def test(http: httpx.AsyncClient) -> None:
        async with http.stream("GET", "/numbers?to=0&then=wait") as answer:
            assert answer.status_code == 200
            beats = answer.aiter_bytes()
            assert (await anext(beats)).startswith(b":\n\n")

    asking(test)


def test_a_host_that_stops_ends_its_streams() -> None:
    async def test(url: str, server: Server) -> None:
        async with Client(url) as client:
            numbers = aiter(client.action(Errands).numbers(1, "wait"))
            assert await anext(numbers) == Sum(0)
            stopping = asyncio.create_task(server.stop(60))
            with pytest.raises(OutcomeUnknown, match="this host stopped"):
                await anext(numbers)
            await stopping

    serving(test)


def test_forwards_over_http() -> None:
    """AC-30: the JSON is the target's."""

    async def test(http: httpx.AsyncClient) -> None:
        path = "/tally/here/add-here-and-there"
        answer = await http.post(path, json={"n": 5, "there": "t"})
        assert (answer.status_code, answer.json()) == (200, {"total": 5})
        answer = await http.post(path, json={"n": -5, "there": "t"})
        assert (answer.status_code, answer.json()["detail"]) == (400, "only up")
        answer = await http.post("/errands/t/7")
        assert answer.json() == {"total": 12}
        answer = await http.post("/errands/pass-on", json={"tally": "t", "n": 1})
        assert answer.json() == {"total": 13}

    asking(test)


def test_a_client_follows_forwards() -> None:
    async def test(client: Client) -> None:
        assert await client.entity(Tally, "a").through_an_action(3) == Sum(3)

    calling(test)


async def _flow(*totals: int) -> AsyncGenerator[Sum]:
    for total in totals:
        yield Sum(total)


async def _await(call: Awaitable[Any]) -> Any:
    return await call


async def _until(is_so: Callable[[], Any]) -> None:
    for _ in range(100_000):
        if is_so():
            return
        await asyncio.sleep(0)
    pytest.fail("it did not come")


def test_a_reader_that_takes_nothing_is_told_so_and_costs_no_more_than_buffers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streaming, "SLOW_S", 0.3)

    async def test(url: str, _server: Server) -> None:
        said_so, warnings = asyncio.Event(), list[str]()

        def warn(text: str, *values: object) -> None:
            warnings.append(text % values)
            said_so.set()

        monkeypatch.setattr(streaming.log, "warning", warn)
        host, _, port = url.removeprefix("http://").partition(":")
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BYTES)
            client.connect((host, int(port)))
            client.sendall(b"GET /numbers?to=1000000000 HTTP/1.1\r\nhost: x\r\n\r\n")
            client.setblocking(False)
            async with asyncio.timeout(20):
                await said_so.wait()
            reader, writer = await asyncio.open_connection(sock=client)
            said = await reader.read()
            writer.close()
        *_, last, end = said.split(b"\n\n")
        assert end.endswith(b"0\r\n\r\n"), "it ends as an answer does"
        assert b"event: error" in last and b"AK2037" in last
        assert b"data: " in said and len(said) < 3_000_000
        assert warnings[0].startswith("a stream is ended after")
        assert "numbers" in ENDED, "its handler is over"

    serving(test)
