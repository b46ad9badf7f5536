"""Kinds: what compares, and what literals become."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from actorkalix.viewsql.kinds import (
    cast,
    column_for,
    comparable,
    kind_named,
    literal,
    natural,
    shown,
)
from actorkalix.viewsql.shapes import ColumnKind, column_of

KINDS = {
    "text": str, "integer": int, "float": float, "bool": bool, "decimal": Decimal, "bytes": bytes,
}  # fmt: skip


def test_numbers_compare_with_numbers_and_all_else_with_itself() -> None:
    """VW-34."""
    numbers = {"integer", "float", "decimal"}
    for left, one in KINDS.items():
        for right, other in KINDS.items():
            wanted = left == right or {left, right} <= numbers
            assert comparable(column_of("x", one), column_of("x", other)) == wanted
    for composed in (list[int], dict[str, int]):
        assert not comparable(column_of("x", composed), column_of("x", composed))


@pytest.mark.parametrize(
    "value,kind,kept",
    [
        (5, ColumnKind.INTEGER, 5),
        (5, ColumnKind.FLOAT, 5),
        (Decimal("1.5"), ColumnKind.INTEGER, 1.5),
        (True, ColumnKind.BOOL, 1),
        ("x", ColumnKind.TEXT, "x"),
        ("1970-01-01T00:00:01Z", ColumnKind.TIMESTAMP, 1_000_000),
        ("9999-12-31T23:59:59.999Z", ColumnKind.TIMESTAMP, 253_402_300_799_999_000),
    ],
)
def test_literals_beside_a_column(value: Any, kind: ColumnKind, kept: Any) -> None:
    found = literal(value, column_for(kind, nullable=False))
    assert (found, type(found)) == (kept, type(kept))


@pytest.mark.parametrize(
    "value", ["9999-12-31T23:59:59.9991Z", "1969-12-31T23:59:59Z", "0001-01-01"]
)
def test_times_out_of_range(value: str) -> None:
    """VW-35."""
    with pytest.raises(ValueError, match=r"from 1970|no zone"):
        literal(value, column_for(ColumnKind.TIMESTAMP, nullable=False))


@pytest.mark.parametrize(
    "value,name,kept",
    [
        (5, "float", 5.0), ("1.5", "double", 1.5), (5, "text", "5"), ("7", "int", 7),
        ("true", "bool", 1), (Decimal("2.0"), "bigint", 2), (True, "text", "true"),
    ],
)  # fmt: skip
def test_casts(value: Any, name: str, kept: Any) -> None:
    kind = kind_named(name)
    assert kind is not None
    found = cast(value, kind)
    assert (found, type(found)) == (kept, type(kept))


@pytest.mark.parametrize(
    "value,name", [("x", "int"), ("x", "bool"), (Decimal("1.5"), "int"), (5, "bool"), (5, "uuid")]
)
def test_casts_that_fail(value: Any, name: str) -> None:
    kind = kind_named(name)
    assert kind is not None
    with pytest.raises(ValueError, match=r"no |neither|number"):
        cast(value, kind)


def test_kinds_in_words() -> None:
    assert shown(column_of("x", list[int])) == "list of integer"
    assert shown(column_of("x", dict[str, int])) == "map"
    assert shown(column_of("x", Any)) == "any value"
    assert [natural(one) for one in (True, 1, Decimal(1), "x")] == [
        ColumnKind.BOOL, ColumnKind.INTEGER, ColumnKind.FLOAT, ColumnKind.TEXT,
    ]  # fmt: skip
    assert kind_named("varchar") is ColumnKind.TEXT
    assert kind_named("flat") is None
