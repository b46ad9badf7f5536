"""The admin port: health, metrics, and what operators look at (LT-33)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from starlette.types import ASGIApp

from actorkalix.consumer_views import Consuming
from actorkalix.errors import OwnerAway, UnknownRoute
from actorkalix.gateway.admin import admin_app
from actorkalix.gateway.metrics import Metrics
from actorkalix.limits import Limits
from actorkalix.ports import (
    EntityPage,
    EntityView,
    EventView,
    HostView,
    ServiceStatus,
    TimerPage,
    TimerView,
)
from actorkalix.workflow_views import Workflows
from tests.unit.actorkalix.gateway.consumed import Consumed
from tests.unit.actorkalix.gateway.flowing import Flowing
from tests.unit.actorkalix.gateway.sample import SHOP, Response, fetch, is_problem
from tests.unit.actorkalix.runtime.cluster import Processes


class Looked:
    """An `Inspect` over nothing that tells what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.raises: Exception | None = None

    async def entities(self, component: str, *, page: str, limit: int) -> EntityPage:
        self.asked.append((component, page, limit))
        return EntityPage(["c1"], "p2")

    async def state(self, component: str, entity: str) -> EntityView:
        self.asked.append((component, entity))
        if self.raises is not None:
            raise self.raises
        return EntityView(component, entity, 1, 2, False, 0, True, {"items": []})

    async def events(
        self, component: str, entity: str, *, after: int, limit: int, with_state: bool
    ) -> list[EventView]:
        self.asked.append((component, entity, after, limit, with_state))
        return [EventView(1, "event", "ItemAdded", 1, 9, 1, 1, 1, {}, {})]

    async def timers(self, *, page: str, limit: int) -> TimerPage:
        self.asked.append((page, limit))
        return TimerPage([TimerView("t", "cart", "c1", "drop", 9, 9)], "p2")

    @property
    def consuming(self) -> Consuming:
        return Consumed()

    @property
    def workflows(self) -> Workflows:
        return Flowing()

    async def status(self) -> ServiceStatus:
        return ServiceStatus("shop", "c", "f", 1, 8, {}, 0, 0, [], [], [], 0, {7: "crc"})


async def found() -> list[str]:
    return ["damage at 7"]


def admin(looked: Looked | None = None, **options: Any) -> ASGIApp:
    hosts = options.pop("hosts", (HostView(0, "serving", 7),))

    async def scrape(accept: str) -> tuple[bytes, str]:
        return Metrics().exposition(accept)

    return admin_app(SHOP, looked or Looked(), fleet=Processes(*hosts), metrics=scrape, **options)


def get(app: ASGIApp, target: str, verb: str = "GET", **headers: str) -> Response:
    return asyncio.run(fetch(app, verb, target, headers=dict(headers)))


def test_health() -> None:
    assert get(admin(), "/health/live").json == {"status": "live"}
    assert get(admin(), "/health/ready").json == {"status": "ready", "reasons": []}
    response = get(admin(health=lambda: ["no home table"]), "/health/ready")
    assert (response.status, response.json["reasons"]) == (503, ["no home table"])
    hosts = (HostView(0, "serving", 7, held_by="cart.add", held_ms=900), HostView(1, "away"))
    response = get(admin(hosts=hosts), "/health/ready")
    assert (response.status, response.json["reasons"]) == (503, ["store 1 is away"])
    sooner = Limits(handler_unready=timedelta(milliseconds=900))
    response = get(admin(hosts=hosts[:1], limits=sooner), "/health/ready")
    assert response.json["reasons"] == ["store 0: cart.add has held its host for 0.9 s"]
    assert get(admin(hosts=hosts), "/health/live").status == 200


def test_metrics_by_accept() -> None:
    response = get(admin(), "/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    response = get(admin(), "/metrics", accept="application/openmetrics-text")
    assert response.headers["content-type"].startswith("application/openmetrics-text")


def test_components_and_their_routes() -> None:
    cart, rows, _ = get(admin(), "/admin/components").json
    assert (cart["id"], cart["kind"]) == ("shopping-cart", "event_sourced")
    assert cart["handlers"][0] == {
        "name": "add_item",
        "kind": "command",
        "routes": ["POST /shopping-cart/{entity_id}/add-item"],
    }
    assert "GET /rows/by-id" in rows["handlers"][0]["routes"]


def test_what_is_asked_of_inspect() -> None:
    looked = Looked()
    app = admin(looked)
    assert get(app, "/admin/entities/shopping-cart?page=p&limit=5").json["next_page"] == "p2"
    assert get(app, "/admin/entities/shopping-cart").status == 200
    assert get(app, "/admin/state/shopping-cart/a%2Fb").json["state"] == {"items": []}
    target = "/admin/events/shopping-cart/%E2%82%AC?after=3&limit=2&with_state=1"
    assert get(app, target).json[0]["type"] == "ItemAdded"
    assert get(app, "/admin/status").json["damaged"] == {"7": "crc"}
    assert looked.asked == [
        ("shopping-cart", "p", 5),
        ("shopping-cart", "", 100),
        ("shopping-cart", "a/b"),
        ("shopping-cart", "€", 3, 2, True),
    ]


@pytest.mark.parametrize(
    "target, status, number, said",
    [
        ("/admin/entities/shoping-cart", 404, "AK2003", "'shopping-cart'"),
        ("/admin/state/shopping-cart/a/b", 404, "AK2003", "%2F"),
        ("/admin/state/shopping-cart/%00", 400, "AK2005", "control"),
        ("/admin/state/shopping-cart/%ff", 400, "AK2002", "UTF-8"),
        ("/admin/state/shopping-cart/", 400, "AK2005", "empty"),
        ("/admin/entities/shopping-cart?limit=0", 400, "AK2002", "limit is 1 to 1,000"),
        ("/admin/entities/shopping-cart?limit=x", 400, "AK2002", "limit is a number"),
        ("/admin/events/shopping-cart/a?after=-1", 400, "AK2002", "after"),
        ("/nothing", 404, "AK2003", "no such path"),
        ("/admin/verify", 405, "AK2004", "POST"),
    ],
)
def test_problems(target: str, status: int, number: str, said: str) -> None:
    assert said in is_problem(get(admin(), target), status, number)["detail"]


def test_errors_of_inspect_are_problems_and_bugs_say_nothing() -> None:
    looked = Looked()
    looked.raises = UnknownRoute("no entity 'c1'")
    is_problem(get(admin(looked), "/admin/state/shopping-cart/c1"), 404, "AK2003")
    looked.raises = OwnerAway("store 1 is away")
    away = get(admin(looked), "/admin/state/shopping-cart/c1")
    assert "store 1" in is_problem(away, 503, "AK3004")["detail"]
    assert away.headers["retry-after"] == "1"
    looked.raises = RuntimeError("secret")
    response = get(admin(looked), "/admin/state/shopping-cart/c1")
    is_problem(response, 500, "AK9001")
    assert b"secret" not in response.body


def test_verify() -> None:
    assert get(admin(verify=found), "/admin/verify", "POST").json == ["damage at 7"]
    is_problem(get(admin(), "/admin/verify", "POST"), 404, "AK2003")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:9889", "", "10.0.0.1"])
def test_names_of_elsewhere_are_refused(host: str) -> None:
    is_problem(get(admin(), "/admin/status", host=host), 421, "AK2002")
    assert get(admin(local=False), "/admin/status", host=host).status == 200


@pytest.mark.parametrize("host", ["localhost:9889", "127.0.0.1", "[::1]:9889"])
def test_names_of_this_machine(host: str) -> None:
    assert get(admin(), "/admin/status", host=host).status == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_foreign_pages_may_not_ask(origin: str) -> None:
    app = admin(verify=found)
    is_problem(get(app, "/admin/verify", "POST", origin=origin), 403, "AK2002")
    assert get(app, "/admin/verify", "POST", origin="http://localhost:9889").status == 200


def test_timers_are_shown_by_pages() -> None:
    looked = Looked()
    answer = asyncio.run(fetch(admin(looked), "GET", "/admin/timers?limit=7&page=p1"))
    assert answer.status == 200
    assert answer.json["next_page"] == "p2"
    assert answer.json["timers"][0]["name"] == "t"
    assert looked.asked == [("p1", 7)]
    refused = asyncio.run(fetch(admin(looked), "GET", "/admin/timers?limit=0"))
    is_problem(refused, 400, "AK2002")
