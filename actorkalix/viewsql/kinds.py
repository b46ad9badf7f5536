"""Kinds of values in a query: which of them compare, and how literals become one of them."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, get_origin

from actorkalix.viewsql.problems import meant
from actorkalix.viewsql.shapes import Column, ColumnKind
from actorkalix.viewsql.values import to_sqlite

NUMBERS = frozenset({ColumnKind.INTEGER, ColumnKind.FLOAT, ColumnKind.DECIMAL})
TEXTS = frozenset({ColumnKind.TEXT, ColumnKind.ENUM})
COMPOSED = frozenset({ColumnKind.LIST, ColumnKind.OBJECT, ColumnKind.JSON})
"""Kinds that can be selected and tested for null, not compared."""

_TYPES: dict[ColumnKind, Any] = {
    ColumnKind.TEXT: str,
    ColumnKind.INTEGER: int,
    ColumnKind.FLOAT: float,
    ColumnKind.BOOL: bool,
    ColumnKind.TIMESTAMP: datetime,
    ColumnKind.DECIMAL: Decimal,
    ColumnKind.BYTES: bytes,
}
_NAMES = {
    "text": ColumnKind.TEXT,
    "varchar": ColumnKind.TEXT,
    "string": ColumnKind.TEXT,
    "int": ColumnKind.INTEGER,
    "int4": ColumnKind.INTEGER,
    "int8": ColumnKind.INTEGER,
    "integer": ColumnKind.INTEGER,
    "bigint": ColumnKind.INTEGER,
    "smallint": ColumnKind.INTEGER,
    "float": ColumnKind.FLOAT,
    "float4": ColumnKind.FLOAT,
    "float8": ColumnKind.FLOAT,
    "double": ColumnKind.FLOAT,
    "real": ColumnKind.FLOAT,
    "numeric": ColumnKind.DECIMAL,
    "decimal": ColumnKind.DECIMAL,
    "bool": ColumnKind.BOOL,
    "boolean": ColumnKind.BOOL,
    "timestamp": ColumnKind.TIMESTAMP,
    "timestamptz": ColumnKind.TIMESTAMP,
    "uuid": ColumnKind.UUID,
}
_WRITTEN = {
    ColumnKind.TEXT: "; write it in quotes",
    ColumnKind.ENUM: "; write it in quotes",
    ColumnKind.BOOL: "; write TRUE or FALSE",
    ColumnKind.TIMESTAMP: "; write a time as '2026-03-01T12:00:00Z'",
}
_UUID = re.compile(
    r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}", re.IGNORECASE
)


def column_for(kind: ColumnKind, nullable: bool) -> Column:
    """What is computed, as a column without a path."""
    return Column((), kind, nullable, _TYPES.get(kind, Any))


def kind_named(name: str) -> ColumnKind | None:
    """The kind that a cast names."""
    return _NAMES.get(name)


def unknown_type(name: str) -> str:
    """What to say of a type that is none."""
    return f"there is no type {name}{meant(name, _NAMES)}"


def shown(column: Column) -> str:
    """A kind in words, for messages."""
    if column.kind is ColumnKind.LIST and column.element is not None:
        return f"list of {column.element.kind.value}"
    if column.kind is ColumnKind.JSON:
        return "map" if get_origin(column.type) is dict else "any value"
    return str(column.kind.value)


def comparable(left: Column, right: Column) -> bool:
    """Whether values of these kinds compare (VW-34)."""
    if left.kind in COMPOSED or right.kind in COMPOSED:
        return False
    return (
        any(left.kind in kinds and right.kind in kinds for kinds in (NUMBERS, TEXTS))
        or left.kind is right.kind
    )


def natural(value: str | int | Decimal | bool | None) -> ColumnKind:
    """What a literal is where nothing else says so."""
    match value:
        case bool():
            return ColumnKind.BOOL
        case int():
            return ColumnKind.INTEGER
        case Decimal():
            return ColumnKind.FLOAT
        case _:
            return ColumnKind.TEXT


def literal(value: str | int | Decimal | bool, column: Column) -> Any:
    """A literal as SQLite keeps values of a column.

    Raises:
        ValueError: it is of another kind or outside of the range; says what is wanted.
    """
    kind = column.kind
    if isinstance(value, str):
        return _text(value, column)
    if isinstance(value, bool):
        if kind is not ColumnKind.BOOL:
            raise ValueError(f"{str(value).upper()} is no {shown(column)}")
        return int(value)
    if kind not in NUMBERS:
        wanted = _WRITTEN.get(kind, "")
        raise ValueError(f"{value} is a number, the other side is {shown(column)}{wanted}")
    if kind is ColumnKind.DECIMAL:
        return to_sqlite(kind, Decimal(value))
    if isinstance(value, int):
        return to_sqlite(ColumnKind.INTEGER, value)  # SQLite compares whole numbers exactly
    return float(value)


def _text(value: str, column: Column) -> Any:
    match column.kind:
        case ColumnKind.TEXT:
            return value
        case ColumnKind.ENUM:
            if column.values and value not in column.values:
                raise ValueError(f"{value!r} is none of its values{meant(value, column.values)}")
            return value
        case ColumnKind.TIMESTAMP:
            return to_sqlite(ColumnKind.TIMESTAMP, _instant(value))
        case ColumnKind.UUID:
            if not _UUID.fullmatch(value):
                raise ValueError(f"{value!r} is no UUID")
            plain = value.replace("-", "").lower()
            cuts = (0, 8, 12, 16, 20, 32)
            return "-".join(plain[a:b] for a, b in pairwise(cuts))
        case ColumnKind.INTEGER | ColumnKind.FLOAT | ColumnKind.DECIMAL:
            raise ValueError(f"{value!r} is a text, the other side a number; take the quotes away")
        case _:
            raise ValueError(f"{value!r} is a text, the other side is {shown(column)}")


def _instant(value: str) -> datetime:
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r} is no time; write it as '2026-03-01T12:00:00Z'") from None
    if found.tzinfo is None:
        raise ValueError(f"{value!r} has no zone; write it as '2026-03-01T12:00:00Z'")
    return found


def cast(value: str | int | Decimal | bool, kind: ColumnKind) -> Any:
    """A literal with a cast as SQLite keeps it; texts of numbers are taken too.

    Raises:
        ValueError: it is nothing of the kind.
    """
    column = column_for(kind, False)
    if isinstance(value, str) and kind in NUMBERS:
        try:
            value = Decimal(value)
        except ArithmeticError:
            raise ValueError(f"{value!r} is no number") from None
    if isinstance(value, str) and kind is ColumnKind.BOOL:
        truth = {"true": True, "false": False}.get(value.lower())
        if truth is None:
            raise ValueError(f"{value!r} is neither true nor false")
        value = truth
    if kind is ColumnKind.TEXT:
        return str(value).lower() if isinstance(value, bool) else str(value)
    if kind is ColumnKind.INTEGER and isinstance(value, Decimal):
        if value != value.to_integral_value():
            raise ValueError(f"{value} is no whole number")
        value = int(value)
    found = literal(value, column)
    return float(found) if kind is ColumnKind.FLOAT else found
