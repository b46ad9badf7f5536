"""Actions of a running service over real HTTP: calls between hosts, streams, errors, ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest

from actorkalix import Client, CommandError
from tests.e2e.errands_service import Errands, Tally
from tests.e2e.running import WAIT_S, Running

SERVICE = f"{Path(__file__).parent / 'errands_service.py'}:service"


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where handlers leave a note of their ends."""
    return tmp_path_factory.mktemp("ends")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, ends: Path) -> Iterator[Running]:
    """The errands on two hosts, so that half of the calls go to the other one."""
    data = tmp_path_factory.mktemp("errands")
    environment = {"ERRANDS_ENDED": str(ends)}
    with Running(data, SERVICE, "--hosts", "2", environment=environment) as started:
        yield started


def test_an_action_calls_entities_on_both_hosts_once_under_a_key(running: Running) -> None:
    async def main() -> None:
        async with Client(running.url) as client:
            for _ in range(2):
                call = client.action(Errands).spread(2, 20)
                assert await call.with_idempotency_key("spread-1") == 40
            assert await client.entity(Tally, "t7").get() == 2

    asyncio.run(main())


def test_forwards_go_on_and_errors_come_back(running: Running) -> None:
    """AC-30."""
    with httpx.Client(base_url=running.url, timeout=WAIT_S) as http:
        for number in range(10):
            body = {"n": 5, "there": f"there-{number}"}
            answer = http.post(f"/tally/here-{number}/count-and-add", json=body)
            assert (answer.status_code, answer.json()) == (200, 5)
            assert http.post("/errands/pass-on", json=body).json() == 10
            refused = http.post("/errands/pass-on", json={**body, "n": -1})
            assert refused.status_code == 400
            problem = refused.json()
            assert (problem["code"], problem["detail"]) == ("out_of_range", "only up")
            assert problem["details"] == {"least": 0}
            assert http.get(f"/tally/here-{number}/get").json() == 1


def test_what_a_handler_raises_is_an_id_and_no_more(running: Running) -> None:
    """AC-07."""
    answer = httpx.post(f"{running.url}/errands/crash", timeout=WAIT_S)
    assert (answer.status_code, answer.json()["number"]) == (500, "AK2010")
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] in answer.json()["detail"]


def test_events_over_http(running: Running, ends: Path) -> None:
    answer = httpx.get(f"{running.url}/count/2", timeout=WAIT_S)
    assert answer.headers["content-type"] == "text/event-stream"
    first, second, error, _ = answer.text.split("\n\n")
    assert (first, second) == ("id: 0\ndata: 0", "id: 1\ndata: 1")
    assert error.startswith("event: error\ndata: {")
    assert '"detail":"only up"' in error
    assert (ends / "count").exists()


def test_streams_of_the_client_both_ways(running: Running, ends: Path) -> None:
    async def numbers() -> AsyncGenerator[int]:
        for n in range(1_000):
            yield n

    async def main() -> None:
        async with Client(running.url) as client:
            counted = aiter(client.action(Errands).count(3))
            assert [await anext(counted) for _ in range(3)] == [0, 1, 2]
            with pytest.raises(CommandError, match="only up"):
                await anext(counted)
            assert await client.action(Errands).add_up(numbers()) == 499_500
            async with aclosing(aiter(client.action(Errands).wait())) as waiting:
                assert await anext(waiting) == "waiting"
                assert not (ends / "wait").exists()

    asyncio.run(main())
    until = time.monotonic() + WAIT_S
    while not (ends / "wait").exists():  # AC-03: the handler ends with its caller
        assert time.monotonic() < until, "the handler goes on"
        time.sleep(0.01)


def test_the_startup_hook_ran_once(running: Running) -> None:
    """AC-08: on the host of the first store."""
    with Client(running.url) as client:
        assert client.entity(Tally, "starts").get().result() == 1


def test_a_stream_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with Running(tmp_path, SERVICE) as started:
        with httpx.stream("GET", f"{started.url}/wait", timeout=WAIT_S) as answer:
            events = answer.iter_text()
            assert "waiting" in next(events)
            began = time.monotonic()
            started.process.terminate()
            assert "event: error" in "".join(events)
        assert started.process.wait(WAIT_S) == 0
        assert time.monotonic() - began < 15
