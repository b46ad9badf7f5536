"""Values of a query: constants and converted arguments, never SQL."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from actorkalix.errors import InvalidPayload
from actorkalix.viewsql.binding import Bindings, bind, converter, list_converter, whole_number
from actorkalix.viewsql.shapes import column_of
from tests.unit.actorkalix.viewsql.tables import compiled


def test_the_same_value_twice_is_one() -> None:
    made = Bindings()
    assert [made.constant(1), made.constant(1), made.constant(1.0), made.constant("1")] == [
        ":v1", ":v1", ":v2", ":v3",
    ]  # fmt: skip
    assert made.argument("a", "text", str) == made.argument("a", "text", str) == ":v4"
    assert made.argument("a", "pattern", str) == ":v5"
    assert bind(made.all(), {"a": 5}) == {"v1": 1, "v2": 1.0, "v3": "1", "v4": "5", "v5": "5"}


def test_arguments_become_what_the_column_keeps() -> None:
    whole, exact = column_of("x", int), column_of("x", Decimal)
    assert converter(whole, whole)(5) == 5
    assert converter(whole, exact)(5) == converter(exact, exact)(Decimal("5.0"))
    assert converter(whole, exact)(None) is None
    assert list_converter(column_of("x", list[int]), whole)([1, 2]) == "[1,2]"
    assert list_converter(column_of("x", list[int]), whole)(None) is None


@pytest.mark.parametrize(
    "where,tp,value,said",
    [
        ("since > :x", datetime, datetime(1900, 1, 1, tzinfo=UTC), "from 1970-01-01"),
        ("since > :x", datetime, datetime.max.replace(tzinfo=UTC), "from 1970-01-01"),
        ("age > :x", int, 2**63, "64 bits"),
        ("age > :x", float, float("nan"), "nan"),
        ("credit > :x", Decimal, Decimal("nan"), "no number"),
        ("credit > :x", float, float("inf"), "x: "),
        ("name = :x", str, "\ud800", "half of a surrogate pair"),
        ("name = ANY(:x)", list[str], ["\ud800"], "x: "),
        ("age > 1 LIMIT :x", int, -1, "LIMIT is a number from 0, got -1"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(where: str, tp: Any, value: Any, said: str) -> None:
    query = compiled(f"SELECT * FROM customers WHERE {where}", types={"x": tp}, streams=True)
    with pytest.raises(InvalidPayload, match=r"^x: ") as caught:
        query.bind({"x": value})
    assert said in str(caught.value)


def test_a_missing_argument_is_refused() -> None:
    query = compiled("SELECT * FROM customers WHERE name = :x", types={"x": str})
    with pytest.raises(InvalidPayload, match=r"x is missing"):
        query.bind({})


def test_numbers_of_limit_and_offset() -> None:
    assert whole_number("LIMIT")(7) == 7
    for wrong in (-1, 2**63, None, True):
        with pytest.raises(ValueError, match=r"LIMIT is a number from 0"):
            whole_number("LIMIT")(wrong)
