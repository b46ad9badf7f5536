"""Shapes of tables: from the class of a row to columns, each with its kind.

A field is a column, a field of an object inside is a column of its own (`address.city`), lists and
what has no order are JSON. What no column can keep is refused with the path of the field, all of it
at once (VW-60, VW-61).
"""

from __future__ import annotations

import datetime as dt
import enum
import typing
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, get_args, get_origin

import msgspec

from actorkalix.describe.shapes import fields_of, has_fields, is_model, name_of, unfit
from actorkalix.limits import ROW_COLUMNS_MAX


class ColumnKind(enum.Enum):
    """What a column keeps; kinds compare with themselves, INTEGER, FLOAT and DECIMAL also mixed."""

    TEXT = "text"
    INTEGER = "integer"
    FLOAT = "float"
    BOOL = "bool"
    TIMESTAMP = "timestamp"
    DECIMAL = "decimal"
    BYTES = "bytes"
    UUID = "uuid"
    ENUM = "enum"
    """Texts out of a closed set: an enum of texts, or a `Literal` of them."""
    LIST = "list"
    OBJECT = "object"
    JSON = "json"
    """What can be kept and read back, but not compared: maps, unions, any value, recursion."""


class Column(msgspec.Struct, frozen=True):
    """A field of a row, or of an object in it.

    Attributes:
        path: names of the fields that lead to it, from the row; of an element that of its list.
        kind: what it keeps.
        nullable: it, or an object around it, may be None.
        type: the Python type without None.
        element: what a LIST holds.
        fields: of an OBJECT.
        values: of an ENUM, in the order of its definition.
        keys: the same path as it is written in the row's JSON; `rename=` makes them differ.
    """

    path: tuple[str, ...]
    kind: ColumnKind
    nullable: bool
    type: Any
    element: Column | None = None
    fields: tuple[Column, ...] = ()
    values: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its path with dots: what it is called in SQLite, unless it is an OBJECT."""
        return ".".join(self.path)

    def leaves(self) -> Iterator[Column]:
        """The columns that SQLite keeps of it: itself, or those of its fields."""
        if self.kind is not ColumnKind.OBJECT:
            yield self
        for one in self.fields:
            yield from one.leaves()


class TableShape(msgspec.Struct, frozen=True):
    """A table: its name, the class of its rows, and a column for each field, in order."""

    name: str
    row: Any
    columns: tuple[Column, ...]

    def find(self, path: Sequence[str]) -> Column | None:
        """The column under these names, exactly as written; None when there is none."""
        columns, found = self.columns, None
        for name in path:
            found = next((one for one in columns if one.path[-1] == name), None)
            if found is None:
                return None
            columns = found.fields
        return found

    def leaves(self) -> tuple[Column, ...]:
        """The columns that SQLite keeps, in order."""
        return tuple(leaf for column in self.columns for leaf in column.leaves())


class ShapeProblem(Exception):
    """A type that no table can keep.

    Attributes:
        texts: every problem, each with the path of its field.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        super().__init__("; ".join(texts))
        self.texts = tuple(texts)


def shape_of(name: str, row: Any) -> TableShape:
    """The shape of a table with rows of this class.

    Args:
        name: of the table.
        row: dataclass, `msgspec.Struct`, TypedDict, NamedTuple or pydantic model; names in its
            annotations are resolved already where they are local to a function.

    Raises:
        ShapeProblem: it is no such class, or has fields that cannot be kept.
    """
    cls = unwrapped(row)
    called = name_of(row)
    if not _is_object(cls):
        raise ShapeProblem(
            [f"{called} has no fields; rows are dataclasses, msgspec.Structs and the like"]
        )
    wrong = [f"{called}.{one}" for one in unfit(cls)]
    if wrong:
        raise ShapeProblem(wrong)
    reading = _Reading()
    columns = reading.fields(cls, (), (), False, ())
    shape = TableShape(name, row, columns)
    problems = [f"{called}.{one}" for one in reading.problems]
    if not columns:
        problems.append(f"{called} has no fields; a row has at least one")
    count = len(shape.leaves())
    if count > ROW_COLUMNS_MAX:
        problems.append(f"{called} has {count:,} columns; a table has {ROW_COLUMNS_MAX:,} at most")
    if problems:
        raise ShapeProblem(problems)
    return shape


def column_of(name: str, tp: Any) -> Column:
    """A value of this type as a column: of a parameter, for instance.

    Raises:
        ShapeProblem: it cannot be kept.
    """
    wrong = [str(one) for one in unfit(tp, name)]
    if wrong:
        raise ShapeProblem(wrong)
    reading = _Reading()
    found = reading.column((name,), (name,), tp, False, ())
    if reading.problems:
        raise ShapeProblem(reading.problems)
    return found


def unwrapped(tp: Any) -> Any:
    """A type without `Annotated`, `NewType` and names of aliases around it."""
    while True:
        if get_origin(tp) is typing.Annotated:
            tp = get_args(tp)[0]
        elif isinstance(tp, typing.NewType):
            tp = tp.__supertype__
        elif type(tp).__name__ == "TypeAliasType":
            tp = tp.__value__
        else:
            return tp


_SCALARS: dict[Any, ColumnKind] = {
    str: ColumnKind.TEXT,
    int: ColumnKind.INTEGER,
    float: ColumnKind.FLOAT,
    bool: ColumnKind.BOOL,
    dt.datetime: ColumnKind.TIMESTAMP,
    Decimal: ColumnKind.DECIMAL,
    bytes: ColumnKind.BYTES,
    bytearray: ColumnKind.BYTES,
}
_TIMES = {
    dt.date: "a date has no zone",
    dt.time: "a time of day has no date",
    dt.timedelta: "a duration is no point in time",
}
_Path = tuple[str, ...]
_COLLECTIONS = (list, tuple, set, frozenset)
_UNIONS = (typing.Union, type(int | str))


class _Reading:
    """Reads one type; collects what is wrong with it."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def fields(
        self,
        cls: Any,
        path: tuple[str, ...],
        keys: tuple[str, ...],
        nullable: bool,
        around: tuple[Any, ...],
    ) -> tuple[Column, ...]:
        found: dict[str, str] = {}
        made: list[Column] = []
        for field in fields_of(cls):
            here = (*path, field.name)
            other = found.setdefault(field.name.lower(), field.name)
            if other != field.name:
                self._wrong(here, f"differs from {other} only in case; give it another name")
            if "." in field.name or field.name.startswith("$") or "\0" in field.name:
                self._wrong(here, "names of columns have no dots and do not begin with $")
            made.append(
                self.column(
                    here,
                    (*keys, field.key),
                    field.type,
                    nullable or not field.always,
                    (*around, cls),
                )
            )
        return tuple(made)

    def column(
        self,
        path: tuple[str, ...],
        keys: tuple[str, ...],
        tp: Any,
        nullable: bool,
        around: tuple[Any, ...],
    ) -> Column:
        members = [unwrapped(one) for one in _members(unwrapped(tp))]
        inner = [one for one in members if one not in (None, type(None))]
        optional = len(inner) < len(members)
        plain = inner[0] if len(inner) == 1 else tp
        made = Column(path, ColumnKind.JSON, nullable or optional, plain, keys=keys)
        if len(inner) != 1:
            return made
        if get_origin(plain) in _COLLECTIONS or plain in _COLLECTIONS:
            if optional:
                self._wrong(
                    path, f"{name_of(tp)} may be None; an empty list says as much, take None away"
                )
            return self._list(made, plain, around)
        if _is_object(plain) and plain not in around:
            fields = self.fields(plain, path, keys, made.nullable, around)
            return msgspec.structs.replace(made, kind=ColumnKind.OBJECT, fields=fields)
        return self._scalar(made, plain)

    def _scalar(self, made: Column, tp: Any) -> Column:
        if tp in _TIMES:
            self._wrong(
                made.path,
                f"{_TIMES[tp]}; use a datetime with a zone, or keep it as text or a number",
            )
            return made
        if tp in _SCALARS:
            return msgspec.structs.replace(made, kind=_SCALARS[tp])
        if getattr(tp, "__module__", "") == "uuid" and getattr(tp, "__name__", "") == "UUID":
            return msgspec.structs.replace(made, kind=ColumnKind.UUID)
        values = _closed_set(tp)
        if values and all(isinstance(one, str) for one in values):
            texts = tuple(str(one) for one in values)
            return msgspec.structs.replace(made, kind=ColumnKind.ENUM, values=texts)
        if values and all(type(one) is int for one in values):
            return msgspec.structs.replace(made, kind=ColumnKind.INTEGER)
        return made

    def _list(self, made: Column, tp: Any, around: tuple[Any, ...]) -> Column:
        args = [one for one in get_args(tp) if one is not Ellipsis]
        if not args or any(one != args[0] for one in args):
            return made  # of anything, or each element of another type
        element = self.column(made.path, made.keys, args[0], False, around)
        if element.nullable:
            self._wrong(
                made.path, f"elements of {name_of(tp)} may be None; leave them out, or use objects"
            )
        if element.kind is ColumnKind.LIST:
            self._wrong(
                made.path, f"{name_of(tp)} is a list of lists; put the inner one into an object"
            )
        return msgspec.structs.replace(made, kind=ColumnKind.LIST, element=element)

    def _wrong(self, path: tuple[str, ...], why: str) -> None:
        self.problems.append(f"{'.'.join(path)}: {why}")


def _members(tp: Any) -> tuple[Any, ...]:
    return get_args(tp) if get_origin(tp) in _UNIONS else (tp,)


def _is_object(tp: Any) -> bool:
    return is_model(tp) or has_fields(get_origin(tp) or tp)


def _closed_set(tp: Any) -> tuple[Any, ...]:
    """Values of an enum or a `Literal` as they are stored."""
    if get_origin(tp) is typing.Literal:
        return get_args(tp)
    if isinstance(tp, type) and issubclass(tp, enum.Enum):
        return tuple(one.value for one in tp)
    return ()
