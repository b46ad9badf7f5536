"""Domains of scalars: each value is of its type, and simple ones come first."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from msgspec import Meta

from actorkalix.describe.shapes import shape_of
from actorkalix.testkit.simulation.values import domain


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    S = 1
    M = 2


@pytest.mark.parametrize(
    "tp, some",
    [
        (int, {1, 2, 3, 4, 5, 0, -1, 1_000_000}),
        (Annotated[int, Meta(ge=1)], {1, 5, 1_000_000}),
        (Annotated[int, Meta(ge=1, le=3)], {1, 2, 3}),
        (Annotated[int, Meta(gt=100)], {101, 105, 1_000_000}),
        (Annotated[int, Meta(lt=-7)], {-8, -12}),
        (Annotated[int, Meta(ge=-3, lt=1)], {-3, 0}),
        (Annotated[int, Meta(multiple_of=7, gt=15, lt=40)], {21, 28, 35}),
        (Annotated[int, Meta(ge=2**62)], {2**62, 2**62 + 4}),
        (float, {1.0, 0.5, 0.0, -0.5, 1e6}),
        (Annotated[float, Meta(gt=0, lt=0.2)], {0.1, 0.05}),
        (Annotated[float, Meta(ge=99.5)], {99.5, 101.5}),
        (Annotated[float, Meta(le=-99.5)], {-99.5, -101.5}),
        (Annotated[float, Meta(multiple_of=0.25, gt=10)], {10.25, 11.0}),
        (str, {"a", "b", "c", "d", ""}),
        (Annotated[str, Meta(min_length=3)], {"aaa", "bbb"}),
        (Annotated[str, Meta(max_length=1)], {"a", "", "Z"}),
        (Annotated[str, Meta(pattern=r"^[A-Z]{2,4}-\d+$")], {"AB-1", "AB-12", "ABC-123"}),
        (Annotated[str, Meta(pattern=r"@.*\.", max_length=40)], {"a@b.example"}),
        (Annotated[str, Meta(pattern=r"^[0-9]+$", min_length=4, max_length=6)], {"12345"}),
        (bytes, {"YQ==", "Yg==", ""}),
        (Annotated[bytes, Meta(min_length=2, max_length=2)], {"YWE="}),
        (bool, {False, True}),
        (None, {None}),
        (Literal["s", 3], {"s", 3}),
        (Colour, {"red", "blue"}),
        (Size, {1, 2}),
        (datetime, {"2024-02-29T12:30:00Z"}),
        (Annotated[datetime, Meta(tz=True)], {"2024-02-29T12:30:00Z"}),
        (Annotated[datetime, Meta(tz=False)], {"2024-02-29T12:30:00"}),
        (date, {"2024-02-29"}),
        (time, {"12:30:00"}),
        (Annotated[time, Meta(tz=True)], {"12:30:00Z"}),
        (timedelta, {"PT0S", "P1D"}),
        (Decimal, {"0.50", "-1"}),
        (UUID, {"00000000-0000-4000-8000-000000000001"}),
    ],
)
def test_values_are_of_their_type(tp: Any, some: set[Any]) -> None:
    values = domain(shape_of(tp))
    assert values is not None and some <= set(values)
    for value in values:
        msgspec.json.decode(msgspec.json.encode(value), type=tp)


def test_ordinary_values_are_drawn_most_and_the_first_is_simple() -> None:
    values = domain(shape_of(int))
    assert values is not None and values[0] == 1
    assert sum(value in range(1, 6) for value in values) > 0.8 * len(values)


def test_a_pattern_of_which_nothing_is_known_has_no_values() -> None:
    assert domain(shape_of(Annotated[str, Meta(pattern="^x{7}y$")])) == ()
    assert domain(shape_of(Annotated[int, Meta(gt=3, lt=4)])) == ()


@pytest.mark.parametrize("tp", [list[int], dict[str, int], tuple[int, ...], Any])
def test_what_is_no_scalar_has_no_domain(tp: Any) -> None:
    assert domain(shape_of(tp)) is None
