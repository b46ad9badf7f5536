"""Values that a query hands to SQLite: literals of its text and arguments of its caller.

Nothing that a caller sends becomes SQL: every value has a place of its own in the statement
(`:v1`, `:v2`, ...) and is converted to what the column beside it keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from actorkalix.errors import InvalidPayload
from actorkalix.viewsql.kinds import TEXTS
from actorkalix.viewsql.shapes import Column, ColumnKind
from actorkalix.viewsql.values import to_column, to_sqlite


class Binding(msgspec.Struct, frozen=True):
    """A value of a statement: a constant, or an argument and how it is converted.

    Attributes:
        key: its name in the statement.
        parameter: the argument that it is made of; empty for a constant.
        constant: as SQLite keeps it.
        convert: from the argument to what SQLite keeps.
    """

    key: str
    parameter: str = ""
    constant: Any = None
    convert: Callable[[Any], Any] | None = None


class Bindings:
    """Collects the values of one query; the same value twice is one."""

    def __init__(self) -> None:
        self._made: dict[Any, Binding] = {}

    def constant(self, value: Any) -> str:
        """A literal, as SQLite keeps it; gives its place in the statement."""
        return self._place(("", type(value), value), Binding("", constant=value))

    def argument(self, name: str, how: str, convert: Callable[[Any], Any]) -> str:
        """An argument, converted; `how` tells conversions of one argument apart."""
        return self._place((name, how), Binding("", parameter=name, convert=convert))

    def all(self) -> tuple[Binding, ...]:
        """What has been collected."""
        return tuple(self._made.values())

    def _place(self, key: Any, binding: Binding) -> str:
        found = self._made.get(key)
        if found is None:
            named = f"v{len(self._made) + 1}"
            found = self._made[key] = msgspec.structs.replace(binding, key=named)
        return f":{found.key}"


def bind(bindings: tuple[Binding, ...], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Values for SQLite.

    Args:
        bindings: of the query.
        arguments: Python values by the names of parameters.

    Raises:
        InvalidPayload: one is missing, or cannot be compared with what the query compares it with.
    """
    found: dict[str, Any] = {}
    for one in bindings:
        if one.convert is None:
            found[one.key] = one.constant
            continue
        if one.parameter not in arguments:
            raise InvalidPayload(f"{one.parameter} is missing")
        try:
            found[one.key] = _sound(one.convert(arguments[one.parameter]))
        except (ValueError, TypeError, ArithmeticError) as problem:
            raise InvalidPayload(f"{one.parameter}: {problem}") from problem
    return found


def _sound(value: Any) -> Any:
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("the text holds half of a surrogate pair") from None
    return value


def converter(parameter: Column, column: Column) -> Callable[[Any], Any]:
    """From an argument to what SQLite keeps for comparing it with a column.

    Args:
        parameter: type of the argument.
        column: what it is compared with; comparable.
    """
    if column.kind is ColumnKind.DECIMAL:
        return _decimal
    if parameter.kind in TEXTS:
        return lambda value: to_sqlite(ColumnKind.TEXT, value)
    return lambda value: to_sqlite(parameter.kind, value)


def list_converter(parameter: Column, element: Column) -> Callable[[Any], Any]:
    """The same for an argument that is a list: as JSON of what SQLite keeps for each."""
    if parameter.element is None:
        return lambda value: to_column(parameter, value)
    convert = converter(parameter.element, element)
    encode = msgspec.json.encode

    def convert_all(value: Any) -> str | None:
        if value is None:
            return None
        found = [convert(one) for one in value]
        if any(isinstance(one, str) and "\0" in one for one in found):
            # SQLite's JSON ends a text there, so it would be found where it is not.
            raise ValueError("a text in a list cannot hold the character U+0000")
        return encode(found).decode()

    return convert_all


def whole_number(what: str) -> Callable[[Any], Any]:
    """An argument of OFFSET or LIMIT."""

    def convert(value: Any) -> int:
        if value is None or isinstance(value, bool) or not 0 <= value < 2**63:
            raise ValueError(f"{what} is a number from 0, got {value!r}")
        return int(value)

    return convert


def _decimal(value: Any) -> Any:
    if value is None:
        return None
    return to_sqlite(ColumnKind.DECIMAL, value if isinstance(value, Decimal) else Decimal(value))
