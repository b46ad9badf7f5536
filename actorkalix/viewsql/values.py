"""Values as SQLite keeps them, and back: one encoding for columns and parameters.

    TEXT, ENUM, UUID   text           BOOL       0 or 1
    INTEGER            64 bits        TIMESTAMP  microseconds since 1970 in UTC (VW-35)
    FLOAT              real           DECIMAL    text that sorts as the numbers do (decimals.py)
    BYTES              blob           LIST       JSON of its elements in this encoding, but
    None               NULL                      booleans as such and bytes in hex
    JSON               JSON

A zone is not kept: a timestamp is an instant (VW-60). What comes back is what msgspec converts to
the declared type: UUIDs and enums are still text.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from actorkalix.describe.shapes import is_model
from actorkalix.viewsql.decimals import decode_decimal, encode_decimal
from actorkalix.viewsql.shapes import Column, ColumnKind

TIMESTAMP_MIN = datetime(1970, 1, 1, tzinfo=UTC)
TIMESTAMP_MAX = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
"""VW-35; the least and the last instants that languages have stand for no time at all."""

_INTEGER_MAX = 2**63 - 1
_MICROSECOND = timedelta(microseconds=1)


def to_sqlite(kind: ColumnKind, value: Any) -> Any:
    """A value of a scalar kind as SQLite keeps it.

    Raises:
        ValueError: it is not of the kind, or outside of what can be kept; says which values can.
    """
    return None if value is None else _TO[kind](value)


def from_sqlite(kind: ColumnKind, value: Any) -> Any:
    """What SQLite keeps as a value of a scalar kind; see the module for what remains text."""
    return None if value is None else _FROM.get(kind, _same)(value)


def to_column(column: Column, value: Any) -> Any:
    """A value of any column but an OBJECT, a LIST too, as SQLite keeps it.

    Raises:
        ValueError: as `to_sqlite`.
    """
    return None if value is None else writer_of(column)(value)


def writer_of(column: Column) -> Callable[[Any], Any]:
    """What `to_column` does with the values of a column that are not None."""
    element = column.element
    if element is None or element.kind in _AS_JSON:
        return _TO[column.kind]
    write = _TO_ELEMENT.get(element.kind) or _TO[element.kind]
    return lambda value: _json([write(one) for one in value])


def from_column(column: Column, value: Any) -> Any:
    """What SQLite keeps in a column as a value; objects in lists are dicts."""
    element = column.element
    if value is None or element is None or element.kind in _AS_JSON:
        return from_sqlite(column.kind, value)
    elements: list[Any] = msgspec.json.decode(value)
    read = bytes.fromhex if element.kind is ColumnKind.BYTES else _FROM.get(element.kind, _same)
    return [read(one) for one in elements]


def as_builtins(value: Any) -> Any:
    """For msgspec: what it does not know itself, pydantic models."""
    if is_model(type(value)):
        return value.model_dump(mode="json")
    raise TypeError(f"objects of type {type(value).__name__} cannot be encoded")


def _text(value: Any) -> str:
    found = value.value if isinstance(value, enum.Enum) else value
    if not isinstance(found, str):
        raise ValueError(f"expected text, got {found!r}")
    return found


def _integer(value: Any) -> int:
    found = value.value if isinstance(value, enum.Enum) else value
    if not isinstance(found, int):
        raise ValueError(f"expected an integer, got {found!r}")
    if not -_INTEGER_MAX - 1 <= found <= _INTEGER_MAX:
        raise ValueError(f"an integer has 64 bits, got {found}")
    return int(found)


def _float(value: Any) -> float:
    if not isinstance(value, (int, float)):
        raise ValueError(f"expected a number, got {value!r}")
    if value != value:
        raise ValueError("nan is no number that can be compared")
    return float(value)


def _bool(value: Any) -> int:
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, got {value!r}")
    return int(value)


def _timestamp(value: Any) -> int:
    if not isinstance(value, datetime):
        raise ValueError(f"expected a datetime, got {value!r}")
    if value.utcoffset() is None:
        raise ValueError(f"{value} has no zone; give the datetime tzinfo=UTC, or another")
    if not TIMESTAMP_MIN <= value <= TIMESTAMP_MAX:
        raise ValueError(
            f"a timestamp is from 1970-01-01T00:00:00Z to 9999-12-31T23:59:59.999Z, got {value}"
        )
    return (value - TIMESTAMP_MIN) // _MICROSECOND


def _instant(value: int) -> datetime:
    return TIMESTAMP_MIN + timedelta(microseconds=value)


def _decimal(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    if not isinstance(value, Decimal):
        raise ValueError(f"expected a decimal, got {value!r}")
    return encode_decimal(value)


def _bytes(value: Any) -> bytes:
    if not isinstance(value, (bytes, bytearray)):
        raise ValueError(f"expected bytes, got {value!r}")
    return bytes(value)


def _uuid(value: Any) -> str:
    return str(value)


def _json(value: Any) -> str:
    return msgspec.json.encode(value, enc_hook=as_builtins).decode()


def _same(value: Any) -> Any:
    return value


_TO: dict[ColumnKind, Callable[[Any], Any]] = {
    ColumnKind.TEXT: _text,
    ColumnKind.ENUM: _text,
    ColumnKind.INTEGER: _integer,
    ColumnKind.FLOAT: _float,
    ColumnKind.BOOL: _bool,
    ColumnKind.TIMESTAMP: _timestamp,
    ColumnKind.DECIMAL: _decimal,
    ColumnKind.BYTES: _bytes,
    ColumnKind.UUID: _uuid,
    ColumnKind.LIST: _json,
    ColumnKind.OBJECT: _json,
    ColumnKind.JSON: _json,
}
_FROM: dict[ColumnKind, Callable[[Any], Any]] = {
    ColumnKind.BOOL: bool,
    ColumnKind.FLOAT: float,
    ColumnKind.TIMESTAMP: _instant,
    ColumnKind.DECIMAL: decode_decimal,
    ColumnKind.LIST: msgspec.json.decode,
    ColumnKind.OBJECT: msgspec.json.decode,
    ColumnKind.JSON: msgspec.json.decode,
}
_AS_JSON: Sequence[ColumnKind] = (ColumnKind.OBJECT, ColumnKind.JSON, ColumnKind.LIST)
_TO_ELEMENT: dict[ColumnKind, Callable[[Any], Any]] = {
    ColumnKind.BOOL: lambda value: bool(_bool(value)),
    ColumnKind.BYTES: lambda value: _bytes(value).hex(),
}
