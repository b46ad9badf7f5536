"""How cells of SQLite's rows become the JSON of a result.

A result is put together as JSON and decoded once, by msgspec, into what the method declares; over
HTTP it is sent as it is. A whole row is in the file as JSON, so it is handed on without a look.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from actorkalix.viewsql.overflow import number
from actorkalix.viewsql.shapes import Column, ColumnKind
from actorkalix.viewsql.values import from_column

Row = Sequence[Any]
Make = Callable[[Row], Any]
_NUMBERS = (ColumnKind.INTEGER, ColumnKind.FLOAT)
_AS_IT_IS = frozenset(
    {
        ColumnKind.TEXT,
        ColumnKind.ENUM,
        ColumnKind.UUID,
        ColumnKind.BYTES,
        *_NUMBERS,
    }
)
_DIGITS_SHOWN = 40  # of a decimal before its point
_JSON = frozenset({ColumnKind.OBJECT, ColumnKind.JSON})


class Cell(msgspec.Struct, frozen=True):
    """A value of a row.

    Attributes:
        place: in the row.
        column: what it is.
        zero: what a null becomes, where the result takes none (VW-64).
    """

    place: int
    column: Column
    zero: Any = None


class Whole(msgspec.Struct, frozen=True):
    """A whole row, which is JSON already.

    Attributes:
        place: of it.
        nullable: a join may leave it out.
    """

    place: int
    nullable: bool = False


class Part(msgspec.Struct, frozen=True):
    """A field of an object: its key, and what it is."""

    key: str
    out: Output


class Object(msgspec.Struct, frozen=True):
    """Parts under their keys.

    Attributes:
        parts: of it.
        present: places of which one at least is true, or there is no object; empty for always.
        as_array: JSON has the parts alone, in their order.
    """

    parts: tuple[Part, ...]
    present: tuple[int, ...] = ()
    as_array: bool = False


class Many(msgspec.Struct, frozen=True):
    """A list with an element for each row.

    Attributes:
        element: of a row; one that is null is left out.
        distinct: each once.
        places: of its rows that tell elements apart.
        present: as of an object.
    """

    element: Output
    distinct: bool = False
    places: tuple[int, ...] = ()
    present: tuple[int, ...] = ()


Output = Cell | Whole | Object | Many


def maker(out: Output, of_groups: int | None = None) -> Make:
    """A function from a row to what msgspec writes as JSON.

    Args:
        out: the output.
        of_groups: None, or rows come in groups: the function takes the rows of one, so many cells
            of each are the group's, and lists are made of the others.
    """
    if of_groups is not None:
        return _of_group(out, of_groups)
    match out:
        case Cell():
            return _cell(out)
        case Whole(place=place):
            return lambda row: None if row[place] is None else _raw(row[place])
        case Object(parts=parts, present=present):
            return _object([(one.key, maker(one.out)) for one in parts], present, out.as_array)
        case Many():
            raise AssertionError("a list is made of several rows")


def elements(many: Many, of_groups: int | None = None) -> Callable[[Sequence[Any]], list[Any]]:
    """A function from rows, or from groups of rows, to the elements of a list."""
    make, present, places = maker(many.element, of_groups), many.present, many.places

    def first(row: Any) -> Row:
        found: Row = row if of_groups is None else row[0]
        return found

    def found(rows: Sequence[Any]) -> list[Any]:
        if present:
            rows = [row for row in rows if any(first(row)[place] for place in present)]
        if many.distinct:
            once: dict[Any, Any] = {}
            for row in rows:
                once.setdefault(tuple(first(row)[place] for place in places), row)
            rows = list(once.values())
        return [value for row in rows if (value := make(row)) is not None]

    return found


def _of_group(out: Output, of_groups: int) -> Make:
    match out:
        case Many():
            many = elements(out)
            return lambda rows: many([row[of_groups:] for row in rows])
        case Object(parts=parts, present=present):
            # With the group itself at hand, lists are parts as others are.
            keyed = [(one.key, _of_group(one.out, of_groups)) for one in parts]
            made = _object(keyed, (), out.as_array)
            if not present:
                return made
            return lambda rows: made(rows) if any(rows[0][one] for one in present) else None
        case _:
            make = maker(out)
            return lambda rows: make(rows[0])


def _object(parts: list[tuple[str, Make]], present: tuple[int, ...], as_array: bool) -> Make:
    def made(row: Row) -> Any:
        if as_array:
            return [make(row) for _, make in parts]
        return {key: make(row) for key, make in parts}

    if not present:
        return made
    return lambda row: made(row) if any(row[place] for place in present) else None


def _cell(cell: Cell) -> Make:
    place, zero, column = cell.place, cell.zero, cell.column
    kind = column.kind
    if kind in _JSON or (kind is ColumnKind.LIST and _is_plain(column)):
        return lambda row: zero if row[place] is None else _raw(row[place])
    if kind in _NUMBERS:
        return number(kind, place, zero)
    if kind in _AS_IT_IS:
        if zero is None:
            return lambda row: row[place]
        return lambda row: zero if row[place] is None else row[place]
    if kind is ColumnKind.DECIMAL:
        return lambda row: zero if row[place] is None else _decimal(from_column(column, row[place]))
    return lambda row: zero if row[place] is None else from_column(column, row[place])


def _decimal(value: Decimal) -> Decimal:
    """10 is written so, not as 1E+1, while it has no more digits than people read."""
    return Decimal(f"{value:f}") if value.adjusted() < _DIGITS_SHOWN else value


def _is_plain(column: Column) -> bool:
    """Whether a list lies in SQLite as it is sent."""
    element = column.element
    return (
        element is None
        or element.kind in _JSON
        or element.kind in _AS_IT_IS
        or (element.kind is ColumnKind.BOOL)
    )


def _raw(text: str | bytes) -> msgspec.Raw:
    return msgspec.Raw(text.encode() if isinstance(text, str) else text)
