"""Rows of any shape: what is put into SQLite comes back, and sorts there as it does in Python."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Literal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from actorkalix.viewsql.shapes import Column, shape_of
from actorkalix.viewsql.storage import TableStorage, quoted
from actorkalix.viewsql.values import TIMESTAMP_MAX, TIMESTAMP_MIN, from_column


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
LIST: Any = list
DICT: Any = dict
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=3)
FIRST, LAST = TIMESTAMP_MIN.replace(tzinfo=None), TIMESTAMP_MAX.replace(tzinfo=None)
TIMES = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    bytes: st.binary(max_size=8),
    Decimal: DECIMALS,
    datetime: TIMES,
    Colour: st.sampled_from(Colour),
    Literal["a", "b"]: st.sampled_from(("a", "b")),
}
SORTED = (str, int, float, bool, bytes, Decimal, datetime)


@st.composite
def fields(draw: st.DrawFn) -> tuple[Any, st.SearchStrategy[Any]]:
    """A type, and its values."""
    tp = draw(st.sampled_from(list(SCALARS)))
    values = SCALARS[tp]
    form = draw(st.sampled_from(("plain", "plain", "optional", "list", "object", "map")))
    if form == "optional":
        return tp | None, values | st.none()
    if form == "list":
        return LIST[tp], st.lists(values, max_size=3)
    if form == "map":
        return DICT[str, tp], st.dictionaries(TEXTS, values, max_size=3)
    if form == "object":
        inner = msgspec.defstruct("Inner", [("x", tp), ("y", int | None)], frozen=True)
        made = st.builds(inner, values, SCALARS[int] | st.none())
        return inner | None, made | st.none()
    return tp, values


@st.composite
def rows(draw: st.DrawFn) -> tuple[Any, list[Any]]:
    """A class of rows, and some of them."""
    drawn = draw(st.lists(fields(), min_size=1, max_size=5))
    names = [f"f{at}" for at in range(len(drawn))]
    row = msgspec.defstruct("Row", [(n, tp) for n, (tp, _) in zip(names, drawn, strict=True)])
    values = st.builds(row, *(values for _, values in drawn))
    return row, draw(st.lists(values, max_size=5))


def connected(storage: TableStorage) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for statement in storage.create:
        connection.execute(statement)
    return connection


def at(row: Any, column: Column) -> Any:
    for name in column.path:
        row = None if row is None else getattr(row, name)
    return row


@settings(max_examples=200, deadline=None)
@given(rows())
def test_rows_and_columns_come_back(drawn: tuple[Any, list[Any]]) -> None:
    row, values = drawn
    storage = TableStorage(shape_of("rows", row))
    connection = connected(storage)
    for number, value in enumerate(values):
        for statement, parameters in storage.put(f"s{number}", value, number):
            connection.execute(statement, parameters)
    for number, value in enumerate(values):
        [(text,)] = connection.execute(storage.select, (f"s{number}",))
        assert storage.decode(text) == value
        for column in storage.shape.leaves():
            select = f'SELECT {quoted(column.name)} FROM rows WHERE "$subject"=?'
            [(kept,)] = connection.execute(select, (f"s{number}",))
            back = msgspec.convert(from_column(column, kept), column.type | None)
            assert back == at(value, column)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_columns_sort_and_compare_as_values_do(data: st.DataObject) -> None:
    tp = data.draw(st.sampled_from(SORTED))
    row = msgspec.defstruct("Row", [("x", tp)])
    values = data.draw(st.lists(SCALARS[tp], min_size=2, max_size=6))
    storage = TableStorage(shape_of("rows", row))
    connection = connected(storage)
    for number, value in enumerate(values):
        for statement, parameters in storage.put(f"s{number}", row(value), 0):
            connection.execute(statement, parameters)
    [column] = storage.shape.columns
    found = [
        from_column(column, one) for (one,) in connection.execute("SELECT x FROM rows ORDER BY x")
    ]
    assert found == sorted(values)
    # Against each row of the table, as a parameter is compared.
    *_, kept = storage.encode("s", row(values[0]))
    for operator, wanted in (
        ("=", [one for one in values if one == values[0]]),
        ("<", [one for one in values if one < values[0]]),
        (">=", [one for one in values if one >= values[0]]),
    ):
        text = f"SELECT count(*) FROM rows WHERE x {operator} ?"
        assert connection.execute(text, (kept,)).fetchone() == (len(wanted),)
