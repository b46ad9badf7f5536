"""Replies leave in their declared type, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from actorkalix.codec.replies import instances
from actorkalix.errors import NotEncodable
from actorkalix_cluster.shardhost.messages import Encoding
from tests.unit.actorkalix.codec.samples import SHOP, Line, Model, Order, Point

JSON, MSGPACK = Encoding.JSON, Encoding.MSGPACK
WRONG: Any = object()


@pytest.mark.parametrize("encoding", [JSON, MSGPACK])
@pytest.mark.parametrize(
    "method, value",
    [
        ("place", Order((Line("p", 1),))),
        ("grown", None),
        ("add", 7),
        ("rename", Model(name="n")),
        ("go", Point(1, 2)),
        ("search", [Line("p", 1)]),
        ("maybe", None),
        ("maybe", Line("p", 1)),
    ],
)
def test_round_trip(method: str, value: Any, encoding: Encoding) -> None:
    codec = SHOP.replies[method]
    assert codec.decode(codec.encode(value, encoding), encoding) == value


def test_none_is_null() -> None:
    """ES-26 differs on purpose: a handler that replies nothing answers `null`."""
    assert SHOP.replies["grown"].encode(None, JSON) == b"null"


@pytest.mark.parametrize(
    "method, value, said",
    [
        ("place", 3, "the reply of place: expected Order, got int"),
        ("place", None, "the reply of place: expected Order, got NoneType"),
        ("grown", 3, "the reply of grown: expected None, got int"),
        ("maybe", "x", "the reply of maybe: expected Line | None, got str"),
        ("place", Order((), note=WRONG), "the reply of place.note: objects of type object"),
        ("weights", {"a": None, "b": float("nan")}, "the reply of weights.b: expected a finite"),
    ],
)
def test_refused(method: str, value: Any, said: str) -> None:
    with pytest.raises(NotEncodable) as caught:
        SHOP.replies[method].encode(value, JSON)
    assert said in str(caught.value)


def test_nulls_beside_floats_are_fine() -> None:
    assert SHOP.replies["weights"].encode({"a": None, "b": 1.5}, JSON) == b'{"a":null,"b":1.5}'


def test_integer_beyond_64_bits() -> None:
    with pytest.raises(NotEncodable, match="beyond 64 bits"):
        SHOP.replies["add"].encode(2**70, MSGPACK)


def test_instances_of_types() -> None:
    assert instances(float) == (int, float)
    assert instances(Line | None) == (Line, type(None))
    assert instances(list[int]) == (list,)
    assert instances(Any) == (object,)
