"""Functions that compiled queries call."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorkalix.viewsql.decimals import decode_decimal, encode_decimal
from actorkalix.viewsql.functions import install
from actorkalix.viewsql.shapes import ColumnKind
from actorkalix.viewsql.values import from_sqlite, to_sqlite

DECIMALS = st.decimals(-(10**12), 10**12, places=6)


def ask(sql: str, *values: Any) -> Any:
    connection = sqlite3.connect(":memory:")
    install(connection)
    return connection.execute(f"SELECT {sql}", values).fetchone()[0]


@settings(deadline=None)
@given(DECIMALS, DECIMALS)
def test_decimals_are_exact(left: Decimal, right: Decimal) -> None:
    values = (encode_decimal(left), encode_decimal(right))
    for name, wanted in (
        ("add", Fraction(left) + Fraction(right)),
        ("subtract", Fraction(left) - Fraction(right)),
        ("multiply", Fraction(left) * Fraction(right)),
    ):
        assert Fraction(decode_decimal(ask(f"ak_decimal_{name}(?, ?)", *values))) == wanted
    assert decode_decimal(ask("ak_decimal_abs(?)", values[0])) == abs(left)
    assert ask("ak_float(?)", values[0]) == float(left)
    assert Decimal(ask("ak_shown(?)", values[0])) == left
    assert ask("ak_truncated(?)", values[0]) == int(left)


def test_quotients_have_38_digits_and_none_by_zero() -> None:
    one, three, zero = (encode_decimal(Decimal(number)) for number in (1, 3, 0))
    assert decode_decimal(ask("ak_decimal_divide(?, ?)", one, three)) == Decimal("0." + "3" * 38)
    assert ask("ak_decimal_divide(?, ?)", one, zero) is None
    assert ask("ak_decimal_divide(?, ?)", zero, zero) is None


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), DECIMALS), max_size=8))
def test_sums_and_averages(numbers: list[Decimal | None]) -> None:
    connection = sqlite3.connect(":memory:")
    install(connection)
    connection.execute("CREATE TABLE t(x)")
    texts = [(None if one is None else encode_decimal(one),) for one in numbers]
    connection.executemany("INSERT INTO t VALUES (?)", texts)
    total, mean = connection.execute(
        "SELECT ak_decimal_sum(x), ak_decimal_avg(x) FROM t"
    ).fetchone()
    there = [one for one in numbers if one is not None]
    if not there:
        assert (total, mean) == (None, None)
    else:
        assert decode_decimal(total) == sum(there)
        assert abs(decode_decimal(mean) * len(there) - sum(there)) < Decimal("1e-15")


@pytest.mark.parametrize(
    "unit,begins",
    [
        ("year", (2026, 1, 1)),
        ("quarter", (2026, 4, 1)),
        ("month", (2026, 5, 1)),
        ("week", (2026, 5, 11)),
        ("day", (2026, 5, 17)),
        ("hour", (2026, 5, 17, 23)),
        ("minute", (2026, 5, 17, 23, 58)),
        ("second", (2026, 5, 17, 23, 58, 59)),
    ],
)
def test_times_begin(unit: str, begins: tuple[int, int, int]) -> None:
    moment = to_sqlite(ColumnKind.TIMESTAMP, datetime(2026, 5, 17, 23, 58, 59, 999_999, UTC))
    found = from_sqlite(ColumnKind.TIMESTAMP, ask("ak_date_trunc(?, ?)", unit, moment))
    assert found == datetime(*begins, tzinfo=UTC)


@pytest.mark.parametrize(
    "call",
    ["ak_lower(?)", "ak_upper(?)", "ak_decimal(?)", "ak_float(?)", "ak_shown(?)", "ak_truncated(?)",
     "ak_decimal_abs(?)", "ak_decimal_add(?, 1)", "ak_decimal_divide(?, 1)",
     "ak_date_trunc('day', ?)"],
)  # fmt: skip
def test_null_is_null(call: str) -> None:
    assert ask(call, None) is None


def test_all_letters_have_a_case() -> None:
    assert ask("ak_lower(?)", "ÄΣ") == "äς"
    assert ask("ak_upper(?)", "äß") == "ÄSS"
    assert decode_decimal(ask("ak_decimal(?)", 0.25)) == Decimal("0.25")
