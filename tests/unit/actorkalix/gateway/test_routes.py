"""Which route a request has, and what is said when it has none (RT-14)."""

from __future__ import annotations

import contextlib
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorkalix.errors import InvalidPayload
from actorkalix.gateway.routes import Found, NoRoute, RouteTable, WrongVerb
from actorkalix_cluster.shardhost.messages import MessageKind
from tests.unit.actorkalix.gateway.sample import SHOP

TABLE = RouteTable(SHOP)


@pytest.mark.parametrize(
    "verb, path, component, method, values",
    [
        ("POST", b"/shopping-cart/c1/add-item", "shopping-cart", "add_item", ["c1"]),
        ("POST", b"/shopping-cart/c1/get-cart", "shopping-cart", "get_cart", ["c1"]),
        ("GET", b"/shopping-cart/c1/get-cart", "shopping-cart", "get_cart", ["c1"]),
        ("HEAD", b"/shopping-cart/c1/get-cart", "shopping-cart", "get_cart", ["c1"]),
        ("GET", b"/carts/c1", "shopping-cart", "get_cart", ["c1"]),
        ("GET", b"/carts/all", "rows", "everything", []),
        ("POST", b"/carts/all/checkout", "shopping-cart", "checkout", ["all"]),
        ("PUT", b"/carts/c1/items/pen/3", "shopping-cart", "set_quantity", ["c1", "pen", "3"]),
        ("PATCH", b"/carts/c1/items/pen", "shopping-cart", "replace_item", ["c1", "pen"]),
        ("GET", b"/rows/by-id", "rows", "by_id", []),
        ("POST", b"/rows/by-id", "rows", "by_id", []),
        ("POST", b"/checkout/remind", "checkout", "remind", []),
        ("GET", b"/carts/a%2Fb", "shopping-cart", "get_cart", ["a/b"]),
        ("GET", b"/carts/%E2%82%AC%20+", "shopping-cart", "get_cart", ["€ +"]),
        ("GET", b"/%63arts/c1", "shopping-cart", "get_cart", ["c1"]),
        ("GET", b"/carts/", "shopping-cart", "get_cart", [""]),
    ],
)
def test_found(verb: str, path: bytes, component: str, method: str, values: list[str]) -> None:
    found = TABLE.match(verb, path)
    assert isinstance(found, Found)
    assert (found.route.component, found.route.handler.name) == (component, method)
    assert found.values == values


def test_kind_of_message() -> None:
    kinds = {(route.handler.name, route.kind) for route in TABLE.routes}
    assert ("add_item", MessageKind.COMMAND) in kinds
    assert ("get_cart", MessageKind.QUERY) in kinds
    assert ("by_id", MessageKind.QUERY) in kinds


@pytest.mark.parametrize(
    "verb, path, allow",
    [
        ("GET", b"/shopping-cart/c1/add-item", ("OPTIONS", "POST")),
        ("DELETE", b"/shopping-cart/c1/get-cart", ("GET", "HEAD", "OPTIONS", "POST")),
        ("POST", b"/carts/c1", ("GET", "HEAD", "OPTIONS")),
        ("OPTIONS", b"/carts/c1/items/pen", ("GET", "HEAD", "OPTIONS", "PATCH")),
        ("BREW", b"/carts/all", ("GET", "HEAD", "OPTIONS")),
    ],
)
def test_rt_14_wrong_verb(verb: str, path: bytes, allow: tuple[str, ...]) -> None:
    assert TABLE.match(verb, path) == WrongVerb(allow)


@pytest.mark.parametrize(
    "path, said",
    [
        (b"/shoping-cart/c1/add-item", "'shopping-cart'"),
        (b"/shopping-cart/c1/add_itm", "did you mean 'add-item'"),
        (b"/shopping-cart/c1/add_item", "did you mean 'add-item'"),
        (b"/shopping-cart/add-item", "look like /shopping-cart/{entity_id}/{handler}"),
        (b"/shopping-cart/c1/add-item/", "look like /shopping-cart/{entity_id}/{handler}"),
        (b"/cart/c1/checkout", "did you mean"),
        (b"/", "no component or route is at '/'"),
        (b"", "no component or route is at '/'"),
        (b"//", "no component or route"),
        (b"*", "no component or route"),
    ],
)
def test_rt_14_no_route_names_the_nearest(path: bytes, said: str) -> None:
    missing = TABLE.match("POST", path)
    assert isinstance(missing, NoRoute)
    assert said in missing.reason


def test_long_unknown_path_is_not_echoed_whole() -> None:
    missing = TABLE.match("GET", b"/" + b"x" * 60_000)
    assert isinstance(missing, NoRoute)
    assert len(missing.reason) < 1_000


@pytest.mark.parametrize("path", [b"/carts/%zz", b"/carts/%", b"/carts/%F", b"/%2/x"])
def test_bad_escape(path: bytes) -> None:
    with pytest.raises(InvalidPayload, match="percent escape"):
        TABLE.match("GET", path)


@pytest.mark.parametrize("path", [b"/carts/%FF", b"/carts/\xff", b"/carts/%C3%28"])
def test_path_that_is_not_utf_8(path: bytes) -> None:
    with pytest.raises(InvalidPayload, match="UTF-8"):
        TABLE.match("GET", path)


@given(st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "X"]), st.binary(max_size=80))
def test_any_path_has_an_answer(verb: str, path: bytes) -> None:
    with contextlib.suppress(InvalidPayload):
        TABLE.match(verb, path)


@given(st.text(min_size=1, max_size=60))
def test_any_id_survives_its_path(entity: str) -> None:
    found = TABLE.match("POST", f"/shopping-cart/{quote(entity, safe='')}/add-item".encode())
    assert isinstance(found, Found)
    assert found.values == [entity]
