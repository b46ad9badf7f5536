"""Arguments: every body that fits, and what is said of every one that does not (ES-85)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actorkalix.errors import InvalidPayload
from actorkalix_cluster.shardhost.messages import Encoding
from tests.unit.actorkalix.codec.samples import (
    Card,
    Cash,
    Colour,
    Line,
    Order,
    Point,
    arguments,
)

JSON, MSGPACK, QUERY = Encoding.JSON, Encoding.MSGPACK, Encoding.QUERY_STRING
LINE = b'{"product":"p","quantity":1}'


BEYOND = "lines[0].quantity: the integer is beyond 64 bits; send it as a string"


def refused(method: str, payload: bytes, encoding: Encoding = JSON) -> str:
    """What is said of a payload."""
    with pytest.raises(InvalidPayload) as caught:
        arguments(method).decode(payload, encoding)
    return str(caught.value)


def query(**texts: list[str]) -> bytes:
    return msgspec.json.encode(texts)


def test_one_structured_parameter_is_the_whole_body() -> None:
    """RT-60: the body is the object itself."""
    decoded = arguments("place").decode(b'{"lines":[{"product":"p","quantity":1}]}', JSON)
    assert decoded == ((Order((Line("p", 1),)),), {})


def test_other_handlers_take_a_key_per_parameter() -> None:
    decoded = arguments("add").decode(b'{"product":"p","quantity":2}', JSON)
    assert decoded == (("p", 2, None), {})
    decoded = arguments("add").decode(b'{"quantity":2,"product":"p","tags":["a"]}', JSON)
    assert decoded == (("p", 2, ["a"]), {})


def test_unions_of_tagged_structs_and_named_tuples() -> None:
    assert arguments("pay").decode(b'{"type":"Cash","amount":3}', JSON) == ((Cash(3),), {})
    assert arguments("pay").decode(b'{"type":"Card","number":"4"}', JSON) == ((Card("4"),), {})
    decoded = arguments("go").decode(b'{"point":[1,2],"weights":{"a":1}}', JSON)
    assert decoded == ((Point(1, 2), {"a": 1.0}), {})


@pytest.mark.parametrize("body", [b"", b"  \n", b"{}"])
def test_no_body_where_nothing_must_be_given(body: bytes) -> None:
    assert arguments("count").decode(body, JSON) == ((), {})
    assert arguments("count").decode(body, QUERY) == ((), {})


def test_no_body_with_defaults() -> None:
    assert arguments("optional").decode(b"", JSON) == ((None,), {})
    assert arguments("optional").decode(LINE, JSON) == ((Line("p", 1),), {})


def test_old_body_works_after_a_parameter_with_default_was_added() -> None:
    """The structured value alone, or an object with a key per parameter."""
    assert arguments("grown").decode(LINE, JSON) == ((Line("p", 1), ""), {"urgent": False})
    new = b'{"line":{"product":"p","quantity":1},"note":"n","urgent":true}'
    assert arguments("grown").decode(new, JSON) == ((Line("p", 1), "n"), {"urgent": True})
    assert refused("grown", b'{"line":{"product":"p"}}') == "line.quantity: missing, expected int"
    assert refused("grown", b'{"product":"p"}') == "quantity: missing, expected int"


@pytest.mark.parametrize(
    "method, body, said",
    [
        (
            "place",
            b'{"lines":[{"product":"p","quantity":"x"}]}',
            "lines[0].quantity: expected int, got str",
        ),
        ("place", b'{"lines":[{"product":"p"}]}', "lines[0].quantity: missing, expected int"),
        (
            "place",
            b'{"lines":[],"z":1}',
            "z: unknown; known are extra, lines, note, parent, weight",
        ),
        (
            "place",
            b'{"lines":[{"product":"p","quantity":1,"z":1}]}',
            "lines[0].z: unknown; known are price, product, quantity",
        ),
        (
            "place",
            b'{"lines":[],"extra":{"a":{"product":"p","quantity":1,"z":1}}}',
            "extra.a.z: unknown; known are price",
        ),
        (
            "place",
            b'{"lines":[],"parent":{"lines":[],"y":1}}',
            "parent.y: unknown; known are extra, lines, note, parent, weight",
        ),
        (
            "place",
            b'{"lines":[{"product":"p","quantity":1.5}]}',
            "lines[0].quantity: expected int, got float",
        ),
        (
            "place",
            b'{"lines":[{"product":"p","quantity":true}]}',
            "lines[0].quantity: expected int, got bool",
        ),
        (
            "place",
            b'{"lines":[{"product":"p","quantity":1,"price":"NaN"}]}',
            "lines[0].price: expected a finite decimal",
        ),
        ("place", b'{"lines":[],"weight":NaN}', "weight: expected a finite number, got nan"),
        ("place", b'{"lines":[],"weight":-Infinity}', "weight: expected a finite number, got -inf"),
        ("place", b'{"lines":[],"weight":1e999}', "weight: expected a finite number"),
        ("place", b'{"lines":[{"product":"p","quantity":18446744073709551616}]}', BEYOND),
        ("place", b'{"lines":[{"product":"p","quantity":-9223372036854775809}]}', BEYOND),
        ("place", b'{"lines":[{"product":"p","quantity":1' + b"0" * 5000 + b"}]}", BEYOND),
        ("place", b"[]", "body: expected object, got array"),
        ("place", b"null", "body: expected object, got null"),
        ("place", b"", "body: missing, expected object"),
        ("place", b'{"lines":', "body: not valid JSON (Input data was truncated)"),
        ("place", b'{"lines":[] x}', "body: not valid JSON (expected ',' or '}' (byte 12))"),
        ("place", b"\xff", "body: not UTF-8; send UTF-8"),
        ("place", b'{"lines":[],"note":"\xff"}', "body: not UTF-8"),
        ("place", b"[" * 100_000 + b"]" * 100_000, "body: expected object, got array"),
        (
            "go",
            b'{"point":[1,2],"weights":' + b"[" * 100_000 + b"}",
            "weights: expected object, got array",
        ),
        ("add", b'{"product":"p"}', "quantity: missing, expected int"),
        ("add", b"", "body: missing, expected an object with product (str), quantity (int)"),
        (
            "add",
            b'{"product":"p","quantity":1,"colour":2}',
            "colour: unknown; known are product, quantity, tags",
        ),
        ("add", b'{"product":"p","quantity":1,"tags":["a",2]}', "tags[1]: expected str, got int"),
        ("count", b'{"x":1}', "x: unknown"),
        ("count", b"[]", "body: expected object, got array"),
        ("pay", b'{"type":"Coin","amount":3}', "type: invalid value 'Coin'"),
        (
            "pay",
            b'{"type":"Cash","amount":3,"number":"4"}',
            "number: unknown; known are amount, type",
        ),
        ("rename", b'{"name":"n","shoe":3}', "shoe: extra inputs are not permitted"),
        ("rename", b'{"count":3}', "name: field required"),
        (
            "settings",
            b'{"colour":"green"}',
            "colour: invalid enum value 'green', expected one of 'red'",
        ),
        ("settings", b'{"colour":"red","shape":1}', "shape: unknown; known are colour, sizes"),
        ("go", b'{"point":[1,2,3],"weights":{}}', "point"),
        ("go", b'{"point":[1,2],"weights":{"a":"b"}}', "weights[...]: expected float, got str"),
    ],
)
def test_refused(method: str, body: bytes, said: str) -> None:
    """ES-85: a message that names the field in the sender's words, and what would be right."""
    assert said in refused(method, body)


def test_deep_nesting_is_refused() -> None:
    body = b'{"lines":[],"parent":' * 100_000
    assert "nested too deeply" in refused("place", body)


def test_numbers_of_64_bits_pass() -> None:
    for number in (2**64 - 1, -(2**63), 1234567890123456789):
        body = b'{"product":"12345678901234567890123","quantity":%d}' % number
        assert arguments("add").decode(body, JSON)[0][1] == number


def test_query_string_becomes_values_of_the_parameters_types() -> None:
    given = query(
        text=["x"], page=["7"], colour=["blue"], sizes=["1", "2"], ratio=["0.5"], exact=["true"]
    )
    args, kwargs = arguments("search").decode(given, QUERY)
    assert args == ("x", 7, Colour.BLUE, [1, 2], 0.5, None, True)
    assert kwargs == {}
    assert arguments("search").decode(query(text=[""]), QUERY)[0][:3] == ("", 1, Colour.RED)


@pytest.mark.parametrize(
    "texts, said",
    [
        ({"text": ["a", "b"]}, "text: given 2 times, expected once"),
        ({"text": ["a"], "nope": ["b"]}, "nope: unknown; known are colour, exact, page"),
        ({"page": ["1"]}, "text: missing, expected str"),
        ({"text": ["a"], "page": ["x"]}, "page: expected int, got str"),
        ({"text": ["a"], "page": ["18446744073709551616"]}, "page: the integer is beyond 64 bits"),
        ({"text": ["a"], "ratio": ["nan"]}, "ratio: expected a finite number, got nan"),
        ({"text": ["a"], "sizes": ["1", "x"]}, "sizes[1]: expected int, got str"),
        ({"text": ["a"], "exact": ["maybe"]}, "exact: expected bool, got str"),
        ({"text": ["a"], "since": ["today"]}, "since: invalid RFC3339 encoded datetime"),
    ],
)
def test_refused_query_strings(texts: dict[str, list[str]], said: str) -> None:
    assert said in refused("search", query(**texts), QUERY)


def test_without_a_query_string_the_parameter_that_is_missing_is_named() -> None:
    assert refused("search", b"", QUERY) == "text: missing, expected str"


def test_structured_parameters_fit_no_query_string() -> None:
    said = refused("place", query(order=["x"]), QUERY)
    assert said == "order: does not fit a query string; send a JSON body with POST"


def test_between_processes_arguments_have_names() -> None:
    """ES-05: also a handler in the same process gets decoded bytes, never the caller's objects."""
    line = Line("p", 1)
    codec = arguments("grown")
    payload = codec.encode((line,), {"urgent": True}, MSGPACK)
    assert msgspec.msgpack.decode(payload)["line"] == {"product": "p", "quantity": 1, "price": "0"}
    args, kwargs = codec.decode(payload, MSGPACK)
    assert (args, kwargs) == ((line, ""), {"urgent": True})
    assert args[0] is not line


def test_wrong_values_between_processes_are_refused_too() -> None:
    codec = arguments("go")
    nan = codec.encode((Point(1, 2), {"a": float("nan")}), {}, MSGPACK)
    assert refused("go", nan, MSGPACK) == "weights.a: expected a finite number, got nan"
    wrong = codec.encode((Point(1, 2), 3), {}, MSGPACK)
    assert refused("go", wrong, MSGPACK) == "weights: expected object, got int"
    extra = msgspec.msgpack.encode({"order": {"lines": [], "z": 1}})
    assert "order.z: unknown" in refused("place", extra, MSGPACK)
    assert "body: " in refused("place", b"\xc1", MSGPACK)


def test_client_sends_what_the_handler_reads() -> None:
    order = Order((Line("p", 1),))
    body = arguments("place").encode((order,), {}, JSON)
    assert arguments("place").decode(body, JSON) == ((order,), {})
    body = arguments("add").encode(("p",), {"quantity": 2}, JSON)
    assert arguments("add").decode(body, JSON) == (("p", 2, None), {})
    assert arguments("count").encode((), {}, JSON) == b""
    assert arguments("optional").encode((), {}, JSON) == b""


@pytest.mark.parametrize(
    "args, kwargs, said",
    [
        (("p", 1, None, 4), {}, "add() takes 3 positional arguments, got 4"),
        (("p",), {"product": "q"}, "add() got 'product' twice"),
        (("p",), {}, "add() misses quantity"),
        (("p", 1), {"colour": 2}, "add() has no parameter 'colour'"),
    ],
)
def test_client_refuses_what_the_handler_does_not_take(
    args: tuple[Any, ...], kwargs: dict[str, Any], said: str
) -> None:
    with pytest.raises(TypeError) as caught:
        arguments("add").encode(args, kwargs, JSON)
    assert str(caught.value) == said
