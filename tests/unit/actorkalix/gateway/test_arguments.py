"""How body, query string and path parameters become one payload."""

from __future__ import annotations

import msgspec
import pytest

from actorkalix_cluster.shardhost.messages import Encoding
from tests.unit.actorkalix.gateway.sample import (
    ADD,
    PEN,
    is_problem,
    one,
)


def test_query_string_and_path_parameters_of_a_get() -> None:
    _, answers = one("GET", "/carts/c1/items/a%2Fb?least=2&least=3&empty=&n=%E2%82%AC+x")
    assert answers.asked[0].encoding is Encoding.QUERY_STRING
    assert msgspec.json.decode(answers.asked[0].payload) == {
        "product": ["a/b"],
        "least": ["2", "3"],
        "empty": [""],
        "n": ["€ x"],
    }


def test_a_get_without_parameters_has_no_payload() -> None:
    _, answers = one("GET", "/shopping-cart/c1/get-cart")
    assert answers.asked[0].payload == b""


def test_path_parameters_join_a_body_in_their_types() -> None:
    _, answers = one("PUT", "/carts/c1/items/7/3")
    assert msgspec.json.decode(answers.asked[0].payload) == {"product": "7", "quantity": 3}
    _, answers = one("PATCH", "/carts/c1/items/pen", PEN)
    assert msgspec.json.decode(answers.asked[0].payload) == {
        "product": "pen",
        "item": {"product": "pen"},
    }


@pytest.mark.parametrize(
    "verb, target, body, said",
    [
        ("PUT", "/carts/c1/items/pen/many", b"", "'quantity' in the path"),
        ("PUT", "/carts/c1/items/pen/3", b"[]", "body"),
        ("PUT", "/carts/c1/items/pen/3", b'{"a":', "body"),
        ("PUT", "/carts/c1/items/pen/3", b'{"quantity":4}', "'quantity' stands in the path"),
        ("PATCH", "/carts/c1/items/pen", b"{", "body"),
        ("GET", "/carts/c1/items/pen?product=ink", b"", "'product' stands in the path"),
        ("GET", "/carts/c1/items/pen?a=%zz", b"", "query string"),
        ("GET", "/carts/c1/items/pen?a=%ff", b"", "query string"),
        ("GET", "/carts/c1/items/pen?" + "a&" * 2_000, b"", "query string"),
        ("POST", ADD + "?quantity=1", PEN, "not from the query string"),
        ("GET", "/carts/%zz", b"", "'%zz'"),
        ("GET", "/carts/%ff", b"", "UTF-8"),
    ],
)
def test_bad_arguments_are_named(verb: str, target: str, body: bytes, said: str) -> None:
    response, answers = one(verb, target, body)
    assert said in is_problem(response, 400, "AK2002")["detail"]
    assert answers.asked == []
