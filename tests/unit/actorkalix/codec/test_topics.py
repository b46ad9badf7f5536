"""Data of messages: values of all sorts to bytes and back, and what does not fit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from actorkalix.codec.topics import BYTES, JSON, TEXT, DataReader, write_data
from actorkalix.errors import InvalidPayload, NotEncodable


@dataclass(frozen=True)
class Order:
    name: str
    cents: int = 0


class Refund(msgspec.Struct, frozen=True):
    name: str


@pytest.mark.parametrize(
    "value, data, content_type",
    [
        (b"\x00\xff", b"\x00\xff", BYTES),
        (bytearray(b"a"), b"a", BYTES),
        ("ä", "ä".encode(), TEXT),
        (Order("o", 1), b'{"name":"o","cents":1}', JSON),
        (3, b"3", JSON),
        ([None], b"[null]", JSON),
    ],
)
def test_content_types(value: Any, data: bytes, content_type: str) -> None:
    assert write_data(value, "it") == (data, content_type)


@pytest.mark.parametrize("value", [{"a": math.nan}, object(), "\ud800"])
def test_what_cannot_be_written(value: Any) -> None:
    with pytest.raises(NotEncodable, match="it"):
        write_data(value, "it")


@pytest.mark.parametrize(
    "tp, value",
    [
        (bytes, b"\x00"),
        (str, "text"),
        (Order, Order("o", 2)),
        (Order | Refund, Order("o", 2)),
        (Order | Refund, Refund("o")),
        (Order | bytes, b"\x01"),
        (Order | bytes | str, "text"),
        (int | None, 4),
        (list[Order], [Order("a"), Order("b")]),
        (Any, "text"),
        (Any, b"\x02"),
        (Any, {"a": 1}),
        (object, [1]),
    ],
)
def test_round_trips(tp: Any, value: Any) -> None:
    data, content_type = write_data(value, "it")
    assert DataReader(tp).read(data, content_type, type(value).__name__) == value


def test_others_may_say_more_and_name_no_type() -> None:
    reader = DataReader(Order)
    assert reader.read(b'{"name":"o","more":1}', "application/json", "") == Order("o")
    assert reader.read(b'{"name":"o"}', "application/cloudevents+json; v=1", "X") == Order("o")


def test_data_as_they_are() -> None:
    assert DataReader(bytes).read(b'{"a":1}', JSON, "") == b'{"a":1}'
    assert DataReader(str).read(b'{"a":1}', JSON, "") == '{"a":1}'


@pytest.mark.parametrize(
    "tp, data, content_type, said",
    [
        (Order, b"{}", JSON, "name: missing"),
        (Order, b"{", JSON, "not valid JSON"),
        (Order, b'{"name":"o"}', BYTES, "application/octet-stream: it is no Order"),
        (Order, b'{"name":"o"}', "", "no content type: it is no Order"),
        (str, b"\xff", TEXT, "text that is no UTF-8"),
        (Order | Refund, b"{}", JSON, "type '', expected one of Order, Refund"),
    ],
)
def test_what_does_not_fit(tp: Any, data: bytes, content_type: str, said: str) -> None:
    with pytest.raises(InvalidPayload) as caught:
        DataReader(tp).read(data, content_type, "")
    assert said in str(caught.value)
