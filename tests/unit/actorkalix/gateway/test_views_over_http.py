"""Views over HTTP against a real server: answers, tokens, events, and who comes back for more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing

import httpx
import pytest

from actorkalix import Client
from actorkalix.errors import RowNotFound
from actorkalix.gateway.http import http_app
from actorkalix.gateway.server import Server, bind
from actorkalix.testkit import TestService
from tests.unit.actorkalix.runtime.counted import Counter, Tallies, Tally, service

TOKEN = "x-consistency-token"
Test = Callable[[httpx.AsyncClient, Client], Awaitable[None]]


def asking(test: Test) -> None:
    """Runs a test against the service over HTTP."""

    async def main() -> None:
        async with TestService(service) as running:
            assert running._dispatch is not None
            listening = bind("127.0.0.1", 0)
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            app = http_app(
                service.descriptor, running._dispatch, limits=service.limits, ready=lambda: True
            )
            server = Server(app, [listening])
            await server.start()
            try:
                async with (
                    httpx.AsyncClient(base_url=url, trust_env=False) as http,
                    Client(url) as client,
                ):
                    await test(http, client)
            finally:
                await server.stop(1)

    asyncio.run(main())


async def add(http: httpx.AsyncClient, name: str, by: int = 1) -> str:
    """The token of a change."""
    answer = await http.post(f"/counter/{name}/add", json={"by": by})
    assert answer.status_code == 200
    return answer.headers[TOKEN]


async def events(answer: httpx.Response) -> AsyncIterator[dict[str, str]]:
    """Server-sent events."""
    event: dict[str, str] = {}
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if line and not line.startswith(":"):
            event[name] = value
        elif not line and event:
            yield event
            event = {}


def test_answers_have_rows_and_tokens() -> None:
    async def test(http: httpx.AsyncClient, client: Client) -> None:
        token = await add(http, "a", 5)
        for answer in (
            await http.get("/tallies/by-name", params={"name": "a"}, headers={TOKEN: token}),
            await http.post("/tallies/by-name", json={"name": "a"}, headers={TOKEN: token}),
        ):
            assert answer.status_code == 200
            assert answer.content == b'{"name":"a","events":1,"total":5}'
            again = await http.get("/sum", headers={TOKEN: answer.headers[TOKEN]})
            assert again.json() == {"counters": 1, "events": 1}
        head = await http.head("/sum")
        assert (head.status_code, head.content) == (200, b"")

    asking(test)


@pytest.mark.parametrize(
    "headers, status, number",
    [
        ({TOKEN: "garbage"}, 400, "AK2002"),
        ({TOKEN: "AZIAkZTNAsYBAQI" * 100}, 400, "AK2002"),
        ({"last-event-id": "\xff"}, 404, "AK2036"),
    ],
)
def test_bad_headers_are_problems(headers: dict[str, str], status: int, number: str) -> None:
    async def test(http: httpx.AsyncClient, client: Client) -> None:
        given = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        answer = await http.get("/tallies/by-name?name=nobody", headers=given)
        assert (answer.status_code, answer.json()["number"]) == (status, number)
        assert answer.headers["content-type"] == "application/problem+json"

    asking(test)


def test_a_token_that_comes_twice_is_refused() -> None:
    async def test(http: httpx.AsyncClient, client: Client) -> None:
        token = await add(http, "a")
        answer = await http.get("/sum", headers=[(TOKEN, token), (TOKEN, token)])
        assert answer.status_code == 400
        assert "came twice" in answer.json()["detail"]

    asking(test)


def test_updates_are_events_and_go_on_behind_the_last_one() -> None:
    async def test(http: httpx.AsyncClient, client: Client) -> None:
        token = await add(http, "a", 20)
        path, waits = "/tallies/watch?more_than=10", {TOKEN: token}
        async with http.stream("GET", path, headers=waits) as answer:
            assert answer.headers["content-type"] == "text/event-stream"
            coming = aiter(events(answer))
            first = await anext(coming)
            assert first["data"] == '{"name":"a","events":1,"total":20}'
            await add(http, "b", 30)
            assert '"b"' in (await anext(coming))["data"]
        await http.post("/counter/b/close")
        token = await add(http, "a", -15)
        again = {TOKEN: token, "last-event-id": first["id"]}
        async with http.stream("GET", path, headers=again) as answer:
            coming = aiter(events(answer))
            gone = [await anext(coming), await anext(coming)]
            assert [(one["event"], one["data"]) for one in gone] == [
                ("removed", '{"subject":"b"}'),
                ("removed", '{"subject":"a"}'),
            ]
        async with http.stream("GET", path, headers={"last-event-id": "other-3"}) as answer:
            assert (await anext(aiter(events(answer))))["event"] == "reset"

    asking(test)


def test_a_stream_without_updates_ends() -> None:
    async def test(http: httpx.AsyncClient, client: Client) -> None:
        token = await add(http, "a", 20)
        answer = await http.get("/tallies/larger?more_than=1", headers={TOKEN: token})
        assert answer.text == 'id: 0\ndata: {"name":"a","events":1,"total":20}\n\n'

    asking(test)


def test_wrong_parameters_of_a_stream_have_a_status() -> None:
    async def test(http: httpx.AsyncClient, client: Client) -> None:
        for path in ("/tallies/watch", "/tallies/larger?more_than=x", "/tallies/watch?more_than="):
            answer = await http.get(path)
            assert (answer.status_code, answer.json()["number"]) == (400, "AK2002")

    asking(test)


def test_a_client_has_rows_errors_and_updates() -> None:
    async def test(http: httpx.AsyncClient, client: Client) -> None:
        added = await client.entity(Counter, "a").add(20).reply()
        found = await client.view(Tallies, after=added.token).by_name("a").reply()
        assert (found.value, bool(found.token)) == (Tally("a", 1, 20), True)
        with pytest.raises(RowNotFound):
            await client.view(Tallies).by_name("nobody")
        assert [row async for row in client.view(Tallies).larger(10)] == [found.value]
        updates = client.view(Tallies).watch(10).updates()
        async with aclosing(aiter(updates)) as coming:
            first = await anext(coming)
            assert (first.kind, first.value) == ("row", found.value)
            await client.entity(Counter, "a").add(-15)
            gone = await anext(coming)
            assert (gone.kind, gone.subject) == ("removed", "a")
        later = client.view(Tallies).watch(10).updates(after=first.mark)
        async with aclosing(aiter(later)) as coming:
            assert await anext(coming) == gone

    asking(test)
