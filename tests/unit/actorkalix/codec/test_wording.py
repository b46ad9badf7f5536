"""Messages of decoders become the sender's words."""

from __future__ import annotations

import msgspec
import pytest

from actorkalix.codec.wording import invalid, validation, words, wrong_payload
from actorkalix.describe.shapes import shape_of
from tests.unit.actorkalix.codec.samples import Colour, Order

KNOWN = "unknown; known are price, product, quantity"


@pytest.mark.parametrize(
    "message, path, said",
    [
        ("Expected `int`, got `str` - at `$.a[0]`", ".a[0]", "expected int, got str"),
        ("Expected `int`, got `str`", "", "expected int, got str"),
        ("Expected `int`, got `str` - at `key` in `$.a`", ".a", "expected int, got str"),
        (
            "Object missing required field `note` - at `$.parent`",
            ".parent.note",
            "missing, expected str",
        ),
        ("Object missing required field `nope`", ".nope", "missing"),
        ("Object contains unknown field `x` - at `$.lines[0]`", ".lines[0].x", KNOWN),
        ("Number out of range - at `$.weight`", ".weight", "expected a finite number"),
    ],
)
def test_messages(message: str, path: str, said: str) -> None:
    assert validation(message, shape_of(Order)) == (path, said)


@pytest.mark.parametrize(
    "tp, said",
    [
        (int, "int"),
        (Order | None, "object or null"),
        (list[int], "array"),
        (Colour, "one of 'red', 'blue'"),
    ],
)
def test_words(tp: object, said: str) -> None:
    assert words(shape_of(tp)) == said


def test_errors() -> None:
    assert str(invalid("", "no")) == "body: no"
    assert str(invalid(".a.b", "no")) == "a.b: no"
    assert "nested too deeply" in str(wrong_payload(RecursionError(), b"", shape_of(int)))
    broken = wrong_payload(msgspec.DecodeError("JSON is malformed: x"), b"{", shape_of(int))
    assert str(broken) == "body: not valid JSON (x)"
