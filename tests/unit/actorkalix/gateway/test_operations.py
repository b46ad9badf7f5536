"""What operators have done: verify, backup, replace."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import msgspec
import pytest
from starlette.types import ASGIApp

from actorkalix.errors import StoredDataDamaged, StoreFull
from actorkalix.gateway.admin import admin_app
from actorkalix.gateway.operations import EventStream
from actorkalix.ports import HostView, PublishedView, PublishOrder, TopicView
from actorkalix.runtime.fanout import ClusterInspection, LocalCalls
from actorkalix_storage.api import HomeTable
from tests.unit.actorkalix.cli.answering import answering
from tests.unit.actorkalix.gateway.sample import SHOP, Response, fetch, is_problem
from tests.unit.actorkalix.runtime.cluster import Processes


class Step(msgspec.Struct):
    """An event of a backup."""

    done: int


class Machine:
    """Does what is asked of the port, and remembers it."""

    def __init__(self) -> None:
        self.fleet = Processes(HostView(0, "serving", 7), HostView(1, "serving", 8))
        self.targets: list[str] = []
        self.replaced: list[int] = []
        self.raises: Exception | None = None
        self.steps = 3
        self.closed = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def backup(self, target: str) -> AsyncGenerator[Step]:
        self.targets.append(target)
        try:
            for done in range(self.steps):
                yield Step(done)
                await self.go_on.wait()
            if self.raises is not None:
                raise self.raises
        finally:
            await asyncio.sleep(0)
            self.closed.set()

    async def replace(self, store: int) -> None:
        self.replaced.append(store)
        self.fleet = Processes(HostView(0, "serving", 7), HostView(1, "serving", 99))

    async def scrape(self, _: str) -> tuple[bytes, str]:
        return b"", "text/plain"


class Present:
    """The fleet of a machine as it is now."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def fleet(self) -> Any:
        return self._machine.fleet.fleet()


async def cancel_timer(name: str) -> bool:
    """There is one timer."""
    return name == "nightly"


class Desk:
    """One topic, which takes everything."""

    async def listed(self) -> list[TopicView]:
        return [TopicView("a topic", [1, 2])]

    async def publish(self, topic: str, order: PublishOrder) -> PublishedView:
        assert order == PublishOrder({"a": 1}, "s", metadata={"x": "y"})
        return PublishedView(topic, 3, 4)


def app_of(machine: Machine | None) -> ASGIApp:
    """An admin port; without a machine it offers nothing."""
    calls = LocalCalls({})
    shown = machine or Machine()
    return admin_app(
        SHOP,
        ClusterInspection(calls, lambda: HomeTable(1, ((0,),)), SHOP),
        fleet=Present(shown),
        metrics=shown.scrape,
        backup=machine.backup if machine is not None else None,
        replace=machine.replace if machine is not None else None,
        cancel_timer=cancel_timer if machine is not None else None,
        topics=Desk() if machine is not None else None,
    )


def post(machine: Machine | None, path: str, body: bytes, **headers: str) -> Response:
    return asyncio.run(fetch(app_of(machine), "POST", path, body, headers=dict(headers)))


# ---- replace ----------------------------------------------------------------------------------
def test_a_host_is_replaced_and_the_next_one_named() -> None:
    machine = Machine()
    answer = post(machine, "/admin/replace", b'{"store":1}')
    assert (answer.status, answer.json["store"], answer.json["host"]["pid"]) == (200, 1, 99)
    assert machine.replaced == [1]


def test_a_store_that_is_none_is_not_found() -> None:
    machine = Machine()
    answer = post(machine, "/admin/replace", b'{"store":2}')
    assert "there is 0, 1" in is_problem(answer, 404, "AK2003")["detail"]
    assert machine.replaced == []


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"x", b'{"store":"1"}', b'{"store":1,"more":2}', b'{"store":true}'],
)
def test_orders_are_read_strictly(body: bytes) -> None:
    answer = post(Machine(), "/admin/replace", body)
    assert "a JSON object of store: " in is_problem(answer, 400, "AK2002")["detail"]


def test_an_order_is_short() -> None:
    is_problem(post(Machine(), "/admin/replace", b" " * 70_000), 413, "AK2006")


def test_a_timer_is_cancelled() -> None:
    machine = Machine()
    answer = post(machine, "/admin/timers/cancel", b'{"name":"nightly"}')
    assert (answer.status, answer.json) == (200, {"name": "nightly", "cancelled": True})
    answer = post(machine, "/admin/timers/cancel", b'{"timer":"nightly"}')
    assert "a JSON object of name: " in is_problem(answer, 400, "AK2002")["detail"]
    is_problem(post(None, "/admin/timers/cancel", b'{"name":"nightly"}'), 404, "AK2003")


def test_a_message_is_published() -> None:
    machine = Machine()
    body = b'{"data":{"a":1},"subject":"s","metadata":{"x":"y"}}'
    answer = post(machine, "/admin/topics/a%20topic", body)
    assert (answer.status, answer.json) == (200, {"topic": "a topic", "partition": 3, "number": 4})
    is_problem(post(machine, "/admin/topics/t", b'{"subject":"s"}'), 400, "AK2002")
    is_problem(post(None, "/admin/topics/t", body), 404, "AK2003")
    shown = asyncio.run(fetch(app_of(machine), "GET", "/admin/topics"))
    assert [(one["name"], one["partitions"]) for one in shown.json] == [("a topic", [1, 2])]
    is_problem(asyncio.run(fetch(app_of(None), "GET", "/admin/topics")), 404, "AK2003")


@pytest.mark.parametrize("path", ["/admin/replace", "/admin/backup", "/admin/verify"])
def test_what_is_not_offered_is_not_found(path: str) -> None:
    is_problem(post(None, path, b'{"store":0}'), 404, "AK2003")


@pytest.mark.parametrize("path", ["/admin/replace", "/admin/backup"])
def test_foreign_pages_may_order_nothing(path: str) -> None:
    machine = Machine()
    order = b'{"store":1}' if "replace" in path else b'{"target":"/b"}'
    is_problem(post(machine, path, order, origin="https://evil.example"), 403, "AK2002")
    is_problem(post(machine, path, order, host="evil.example"), 421, "AK2002")
    assert (machine.targets, machine.replaced) == ([], [])


# ---- backup -----------------------------------------------------------------------------------
def backup(machine: Machine, target: str = "/backup") -> httpx.Response:
    """Asks over a socket, for a stream is more than one answer."""
    with answering(app_of(machine)) as url:
        return httpx.post(f"{url}/admin/backup", json={"target": target}, trust_env=False)


def lines(response: httpx.Response) -> list[Any]:
    return [json.loads(line) for line in response.text.splitlines()]


def test_events_of_a_backup_come_line_by_line() -> None:
    machine = Machine()
    answer = backup(machine)
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert lines(answer) == [{"done": 0}, {"done": 1}, {"done": 2}]
    assert machine.targets == ["/backup"]
    assert machine.closed.is_set()


def test_an_error_on_the_way_is_the_last_line() -> None:
    machine = Machine()
    machine.raises = StoreFull("the disk is full")
    *_, last = lines(backup(machine))
    assert last == {
        "error": {
            "number": "AK3003",
            "code": "resource_exhausted",
            "message": "the disk is full",
            "outcome": "not_executed",
        }
    }


def test_a_bug_on_the_way_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    machine.raises = RuntimeError("secret")
    answer = backup(machine)
    assert lines(answer)[-1]["error"]["number"] == "AK9001"
    assert "secret" not in answer.text
    assert "secret" in caplog.text


def test_an_error_before_the_first_event_is_a_problem() -> None:
    machine = Machine()
    machine.steps, machine.raises = 0, StoredDataDamaged("store 1")
    answer = backup(machine)
    assert (answer.status_code, answer.json()["number"]) == (500, "AK4001")
    machine.raises = None
    assert backup(machine).text == ""


@pytest.mark.parametrize("target", ["", "backup", "./b", "/b\0c"])
def test_a_target_is_an_absolute_path(target: str) -> None:
    machine = Machine()
    answer = post(machine, "/admin/backup", json.dumps({"target": target}).encode())
    assert "absolute path" in is_problem(answer, 400, "AK2002")["detail"]
    assert machine.targets == []


@pytest.mark.parametrize("while_sent", [False, True], ids=["between events", "in an event"])
def test_who_stops_reading_ends_the_backup_in_peace(while_sent: bool) -> None:
    """The generator is closed once, with its cleanup run to its end."""

    async def run() -> None:
        machine = Machine()
        machine.go_on.clear()
        events = machine.backup("/backup")
        first = await anext(events)
        stream = EventStream(first, events)
        gone, sent = asyncio.Event(), asyncio.Event()

        async def receive() -> dict[str, Any]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(event: Any) -> None:
            if event["type"] == "http.response.body":
                sent.set()
                if while_sent:
                    await asyncio.Event().wait()

        sending = asyncio.create_task(stream({"type": "http"}, receive, send))
        await sent.wait()
        gone.set()
        await sending
        assert machine.closed.is_set()

    asyncio.run(run())
