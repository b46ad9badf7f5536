"""Checkers find what msgspec lets pass, with the path to it."""

from __future__ import annotations

import pytest

from actorkalix.codec.strictness import checker, unknown, wrong_number
from actorkalix.describe.shapes import shape_of
from tests.unit.actorkalix.codec.samples import Card, Cash, Kinds, Line, Order, Point, Settings


@pytest.mark.parametrize("tp", [int, str, list[int], dict[str, bool], int | None])
def test_types_that_need_no_checker(tp: object) -> None:
    assert checker(shape_of(tp)) is None


@pytest.mark.parametrize(
    "tp, value, path",
    [
        (Line, {"x": 1}, ".x"),
        (list[Line], [{}, {"x": 1}], "[1].x"),
        (dict[str, Line], {"a": {"x": 1}}, ".a.x"),
        (tuple[int, Line], [1, {"x": 1}], "[1].x"),
        (Line | None, {"x": 1}, ".x"),
        (Card | Cash, {"type": "Cash", "number": "1"}, ".number"),
        (Point, [1, 2, 3], "[2]"),
        (Settings, {"shape": 1}, ".shape"),
        (Order, {"parent": {"parent": {"x": 1}}}, ".parent.parent.x"),
        (Kinds, {"means": {"type": "Card", "x": 1}}, ".means.x"),
        (list[Point | str], ["a", [1, 2, 3]], "[1][2]"),
    ],
)
def test_unknown_keys(tp: object, value: object, path: str) -> None:
    check = checker(shape_of(tp))
    assert check is not None
    found = check(value)
    assert found is not None and found[0] == path


def test_values_that_fit() -> None:
    for tp, value in ((Order, {"lines": [{"product": "p"}], "parent": None}), (Card | Cash, 3)):
        check = checker(shape_of(tp))
        assert check is not None and check(value) is None


def test_numbers() -> None:
    assert wrong_number([1, {"a": True, "b": 2**64 - 1, "c": "x"}]) is None
    assert wrong_number({"a": [1, 2**64]}) == (
        ".a[1]",
        "the integer is beyond 64 bits; send it as a string",
    )
    assert wrong_number(float("inf")) == ("", "expected a finite number, got inf")


def test_words() -> None:
    assert unknown("x", ["b", "a"]) == "unknown; known are a, b"
    assert unknown("x", []) == "unknown; nothing is expected here"
