"""Functions that compiled queries call and SQLite lacks; install them in every connection.

Decimals are texts in SQLite (decimals.py), so their arithmetic is here, exact but for a quotient,
which has 38 digits. SQLite's own lower() and upper() know ASCII alone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation
from typing import Any, Protocol

from actorkalix.viewsql.decimals import EXPONENT_MAX, decode_decimal, encode_decimal
from actorkalix.viewsql.values import TIMESTAMP_MIN

_EXACT = Context(prec=2 * EXPONENT_MAX, Emax=2 * EXPONENT_MAX, Emin=-2 * EXPONENT_MAX)
_QUOTIENT = Context(
    prec=38, rounding=ROUND_HALF_EVEN, Emax=2 * EXPONENT_MAX, Emin=-2 * EXPONENT_MAX
)
_MICROSECOND = timedelta(microseconds=1)
TRUNCATIONS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second")


class Connection(Protocol):
    """The part of a connection of sqlite3 that is needed."""

    def create_function(
        self, name: str, narg: int, func: Callable[..., Any], /, *, deterministic: bool
    ) -> None:
        """Make a function known."""

    def create_aggregate(self, name: str, n_arg: int, aggregate_class: Any, /) -> None:
        """Make an aggregate known."""


def install(connection: Connection) -> None:
    """Make the functions known to a connection that runs compiled queries."""
    for name, count, fn in _FUNCTIONS:
        connection.create_function(name, count, fn, deterministic=True)
    connection.create_aggregate("ak_decimal_sum", 1, _Sum)
    connection.create_aggregate("ak_decimal_avg", 1, _Average)


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()


def _upper(text: str | None) -> str | None:
    return None if text is None else text.upper()


def _decimal(number: Any) -> str | None:
    """An integer or a float as the text of a decimal, exactly."""
    return None if number is None else encode_decimal(Decimal(number))


def _float(text: str | None) -> float | None:
    return None if text is None else float(decode_decimal(text))


def _truncated(text: str | None) -> int | None:
    return None if text is None else int(decode_decimal(text))


def _shown(text: str | None) -> str | None:
    return None if text is None else f"{decode_decimal(text):f}"


def _operation(
    operate: Callable[[Decimal, Decimal], Decimal],
) -> Callable[[str | None, str | None], str | None]:
    def function(left: str | None, right: str | None) -> str | None:
        if left is None or right is None:
            return None
        return encode_decimal(operate(decode_decimal(left), decode_decimal(right)))

    return function


def _quotient(left: str | None, right: str | None) -> str | None:
    """NULL for what is divided by zero, as SQLite has it for other numbers."""
    if left is None or right is None:
        return None
    try:
        return encode_decimal(_QUOTIENT.divide(decode_decimal(left), decode_decimal(right)))
    except (DivisionByZero, InvalidOperation):
        return None


def _absolute(text: str | None) -> str | None:
    return None if text is None else encode_decimal(decode_decimal(text).copy_abs())


def _date_trunc(unit: str, micros: int | None) -> int | None:
    """The beginning of the year, month, ... in UTC; weeks begin on Monday."""
    if micros is None:
        return None
    at = (TIMESTAMP_MIN + timedelta(microseconds=micros)).replace(microsecond=0)
    depth = {"second": 0, "minute": 1, "hour": 2}.get(unit, 3)
    at = at.replace(
        second=0 if depth > 0 else at.second,
        minute=0 if depth > 1 else at.minute,
        hour=0 if depth > 2 else at.hour,
    )
    match unit:
        case "year":
            at = at.replace(month=1, day=1)
        case "quarter":
            at = at.replace(month=(at.month - 1) // 3 * 3 + 1, day=1)
        case "month":
            at = at.replace(day=1)
        case "week":
            at -= timedelta(days=at.weekday())
        case _:
            assert unit in TRUNCATIONS, unit
    return (at - TIMESTAMP_MIN) // _MICROSECOND


class _Sum:
    def __init__(self) -> None:
        self.count = 0
        self.total = Decimal(0)

    def step(self, text: str | None) -> None:
        if text is not None:
            self.count += 1
            self.total = _EXACT.add(self.total, decode_decimal(text))

    def finalize(self) -> str | None:
        return encode_decimal(self.total) if self.count else None


class _Average(_Sum):
    def finalize(self) -> str | None:
        if not self.count:
            return None
        return encode_decimal(_QUOTIENT.divide(self.total, Decimal(self.count)))


_FUNCTIONS: tuple[tuple[str, int, Callable[..., Any]], ...] = (
    ("ak_lower", 1, _lower),
    ("ak_upper", 1, _upper),
    ("ak_decimal", 1, _decimal),
    ("ak_float", 1, _float),
    ("ak_truncated", 1, _truncated),
    ("ak_shown", 1, _shown),
    ("ak_decimal_add", 2, _operation(_EXACT.add)),
    ("ak_decimal_subtract", 2, _operation(_EXACT.subtract)),
    ("ak_decimal_multiply", 2, _operation(_EXACT.multiply)),
    ("ak_decimal_divide", 2, _quotient),
    ("ak_decimal_abs", 1, _absolute),
    ("ak_date_trunc", 2, _date_trunc),
)
