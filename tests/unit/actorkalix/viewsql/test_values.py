"""Values of every kind, as SQLite keeps them and back."""

from __future__ import annotations

import enum
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorkalix.viewsql.shapes import ColumnKind, column_of
from actorkalix.viewsql.values import (
    TIMESTAMP_MAX,
    TIMESTAMP_MIN,
    as_builtins,
    from_column,
    from_sqlite,
    to_column,
    to_sqlite,
)


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclass
class Point:
    x: int


K = ColumnKind
ID = UUID("12345678-1234-5678-1234-567812345678")


@pytest.mark.parametrize(
    "kind, value, kept, back",
    [
        (K.TEXT, "Ä\0b", "Ä\0b", "Ä\0b"),
        (K.ENUM, Colour.RED, "red", "red"),
        (K.ENUM, "red", "red", "red"),
        (K.UUID, ID, str(ID), str(ID)),
        (K.INTEGER, -(2**63), -(2**63), -(2**63)),
        (K.INTEGER, Level.HIGH, 3, 3),
        (K.FLOAT, 1.5, 1.5, 1.5),
        (K.FLOAT, 2, 2.0, 2.0),
        (K.BOOL, True, 1, True),
        (K.BYTES, bytearray(b"\xff"), b"\xff", b"\xff"),
        (K.DECIMAL, Decimal("1.50"), "21000015", Decimal("1.5")),
        (K.DECIMAL, 3, "2100003", Decimal(3)),
        (K.JSON, {"a": [1, None]}, '{"a":[1,null]}', {"a": [1, None]}),
        (K.OBJECT, Point(1), '{"x":1}', {"x": 1}),
        (K.TEXT, None, None, None),
        (K.DECIMAL, None, None, None),
    ],
)
def test_scalars(kind: ColumnKind, value: Any, kept: Any, back: Any) -> None:
    assert to_sqlite(kind, value) == kept
    row = sqlite3.connect(":memory:").execute("SELECT ?", (kept,)).fetchone()
    assert from_sqlite(kind, row[0]) == back
    assert type(from_sqlite(kind, row[0])) is type(back)


@given(st.datetimes(TIMESTAMP_MIN.replace(tzinfo=None), TIMESTAMP_MAX.replace(tzinfo=None)))
def test_timestamps_keep_microseconds(moment: datetime) -> None:
    value = moment.replace(tzinfo=UTC)
    assert from_sqlite(K.TIMESTAMP, to_sqlite(K.TIMESTAMP, value)) == value


def test_a_timestamp_is_an_instant() -> None:
    """VW-60: the zone is lost, the instant stays."""
    east = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert to_sqlite(K.TIMESTAMP, east) == to_sqlite(K.TIMESTAMP, datetime(2026, 1, 1, tzinfo=UTC))
    back = from_sqlite(K.TIMESTAMP, to_sqlite(K.TIMESTAMP, east))
    assert (back, back.tzinfo) == (east, UTC)


@pytest.mark.parametrize(
    "value",
    [
        TIMESTAMP_MIN - timedelta(microseconds=1),
        TIMESTAMP_MAX + timedelta(microseconds=1),
        datetime.max.replace(tzinfo=UTC),
        datetime.min.replace(tzinfo=UTC),
    ],
)
def test_a_timestamp_has_a_range(value: datetime) -> None:
    """VW-35: the least and last instants of the language too are errors."""
    with pytest.raises(ValueError, match=r"from 1970-01-01T00:00:00Z to 9999-12-31T23:59:59\.999Z"):
        to_sqlite(K.TIMESTAMP, value)


@pytest.mark.parametrize(
    "kind, value, said",
    [
        (K.TEXT, 3, "expected text, got 3"),
        (K.ENUM, Level.HIGH, "expected text"),
        (K.INTEGER, "3", "expected an integer, got '3'"),
        (K.INTEGER, 2**63, "64 bits"),
        (K.FLOAT, "x", "expected a number"),
        (K.FLOAT, float("nan"), "nan is no number"),
        (K.BOOL, 1, "expected true or false"),
        (K.TIMESTAMP, "2026", "expected a datetime"),
        (K.TIMESTAMP, datetime.fromisoformat("2026-01-01"), "has no zone"),
        (K.DECIMAL, 1.5, "expected a decimal"),
        (K.DECIMAL, True, "expected a decimal"),
        (K.DECIMAL, Decimal("NaN"), "is no number"),
        (K.BYTES, 3, "expected bytes"),
    ],
)
def test_what_does_not_fit(kind: ColumnKind, value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        to_sqlite(kind, value)


@pytest.mark.parametrize(
    "tp, value, kept",
    [
        (list[str], ["a", "b"], '["a","b"]'),
        (tuple[int, ...], (1, 2), "[1,2]"),
        (list[bool], [True, False], "[true,false]"),
        (list[bytes], [b"\xff\0"], '["ff00"]'),
        (list[Decimal], [Decimal("1.0"), Decimal(-1)], '["2100001","0899998~"]'),
        (list[datetime], [datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)], "[1000000]"),
        (list[Colour], [Colour.RED], '["red"]'),
        (list[UUID], [ID], f'["{ID}"]'),
        (list[Point], [Point(1)], '[{"x":1}]'),
        (list[Any], [1, "a"], '[1,"a"]'),
        (list[str], [], "[]"),
    ],
)
def test_lists_are_json_of_their_elements(tp: Any, value: Any, kept: str) -> None:
    column = column_of("c", tp)
    assert to_column(column, value) == kept
    assert msgspec.convert(from_column(column, kept), tp) == value


def test_none_and_scalars_in_columns() -> None:
    assert to_column(column_of("c", int | None), None) is None
    assert from_column(column_of("c", list[int]), None) is None
    assert to_column(column_of("c", Decimal), Decimal(1)) == "2100001"
    assert from_column(column_of("c", Decimal), "2100001") == Decimal(1)


def test_models_become_what_they_hold() -> None:
    pydantic = pytest.importorskip("pydantic")
    model = pydantic.create_model("Model", a=(int, 3))
    assert as_builtins(model()) == {"a": 3}
    with pytest.raises(TypeError, match="object cannot be encoded"):
        as_builtins(object())
