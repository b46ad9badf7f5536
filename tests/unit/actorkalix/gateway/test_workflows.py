"""Workflows at the admin port, and where clients find their commands and promises."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actorkalix import Effect, Service, StepEffect, Workflow, command, query, step
from actorkalix.engine.requests import message_of
from actorkalix.gateway.admin import admin_app
from actorkalix.gateway.arguments import payload_of
from actorkalix.gateway.routes import Found, RouteTable
from actorkalix.model.client import Calls
from actorkalix.workflow_views import Workflows
from actorkalix_cluster.shardhost.messages import Encoding, MessageKind
from tests.unit.actorkalix.gateway.flowing import Flowing
from tests.unit.actorkalix.gateway.sample import SHOP, Response, fetch, is_problem
from tests.unit.actorkalix.gateway.test_admin import Looked
from tests.unit.actorkalix.runtime.cluster import Processes


class Pay(Workflow[int], id="pay"):
    @command
    def start(self, amount: int) -> Effect[str]:
        return self.effects.update_state(amount).transition_to(self.book).then_reply("started")

    @step
    async def book(self) -> StepEffect:
        return self.effects.end()

    @query
    def get(self) -> int:
        return self.state


class Shown(Looked):
    def __init__(self, flowing: Flowing) -> None:
        super().__init__()
        self._flowing = flowing

    @property
    def workflows(self) -> Workflows:
        return self._flowing


async def scrape(_: str) -> tuple[bytes, str]:
    return b"", "text/plain"


def ask(flowing: Flowing, target: str, body: bytes | None = None) -> Response:
    app = admin_app(SHOP, Shown(flowing), fleet=Processes(), metrics=scrape)
    verb = "GET" if body is None else "POST"
    return asyncio.run(fetch(app, verb, target, body or b""))


SUSPEND = b'{"component":"transfer","workflow_id":"t1","action":"suspend"}'
RESOLVE = (
    b'{"component":"transfer","workflow_id":"t1","action":"resolve","promise":"p","value":[1]}'
)


@pytest.mark.parametrize(
    "target, body, asked",
    [
        ("/admin/workflows", None, ("", "", "", 100)),
        (
            "/admin/workflows?component=transfer&status=paused&page=p&limit=3",
            None,
            ("transfer", "paused", "p", 3),
        ),
        ("/admin/workflows/show?component=transfer&id=a%2Fb", None, ("transfer", "a/b", 0, 1000)),
        ("/admin/workflows/show?component=c&id=i&after=7&limit=2", None, ("c", "i", 7, 2)),
        ("/admin/workflows/control", SUSPEND, ("suspend", "transfer", "t1", None)),
        ("/admin/workflows/control", RESOLVE, ("resolve", "transfer", "t1", [1])),
    ],
)
def test_each_path_asks_for_what_it_says(
    target: str, body: bytes | None, asked: tuple[Any, ...]
) -> None:
    flowing = Flowing()
    response = ask(flowing, target, body)
    assert (response.status, flowing.asked) == (200, [asked])


@pytest.mark.parametrize(
    "target, body",
    [
        ("/admin/workflows?limit=0", None),
        ("/admin/workflows/show?component=transfer", None),
        ("/admin/workflows/show?id=t1", None),
        ("/admin/workflows/control", b"{}"),
        ("/admin/workflows/control", b'{"component":"a","workflow_id":"b","action":"explode"}'),
    ],
)
def test_what_is_wrong_is_a_problem_and_asks_nobody(target: str, body: bytes | None) -> None:
    flowing = Flowing()
    response = ask(flowing, target, body)
    is_problem(response, 400, "AK2002")
    assert flowing.asked == []


# ---- the API of callers ------------------------------------------------------------------------
def found(verb: str, path: str) -> Found:
    service: Any = Service("pays", components=[Pay])
    match = RouteTable(service.descriptor).match(verb, path.encode())
    assert isinstance(match, Found), match
    return match


@pytest.mark.parametrize(
    "path, kind",
    [
        ("/pay/p1/start", MessageKind.COMMAND),
        ("/pay/p1/suspend", MessageKind.CONTROL),
        ("/pay/p1/terminate", MessageKind.CONTROL),
        ("/pay/p1/promises/approval", MessageKind.CONTROL),
        ("/pay/p1/get", MessageKind.QUERY),
    ],
)
def test_commands_queries_and_controls_have_routes(path: str, kind: MessageKind) -> None:
    assert found("POST", path).route.kind is kind


@pytest.mark.parametrize("body", [b"true", b'{"a": [1, null]}', b'"text"', b"7"])
def test_the_body_of_a_promise_is_its_value(body: bytes) -> None:
    match = found("POST", "/pay/p1/promises/approval")
    payload, encoding = payload_of(match.route, match.values, b"", body)
    assert encoding is Encoding.JSON
    assert payload == b'{"value":%b,"name":"approval"}' % body


def test_a_promise_without_a_body_is_null() -> None:
    match = found("POST", "/pay/p1/promises/approval")
    assert payload_of(match.route, match.values, b"", b"")[0] == b'{"name":"approval"}'


def test_calls_of_controls_are_controls() -> None:
    calls = Calls().workflow(Pay, "p1")
    kinds = [
        message_of(call.spend("seen")).kind
        for call in (calls.start(3), calls.suspend(), calls.get())
    ]
    assert kinds == [MessageKind.COMMAND, MessageKind.CONTROL, MessageKind.QUERY]
