"""What a query's method declares that it returns, and whether what is selected fits."""

from __future__ import annotations

import typing
from collections.abc import AsyncIterator
from typing import Any, get_args, get_origin

import msgspec
from msgspec import inspect

from actorkalix.describe.shapes import fields_of, has_fields, is_model, name_of
from actorkalix.viewsql.kinds import shown
from actorkalix.viewsql.shapes import Column, ColumnKind, ShapeProblem, column_of, unwrapped

_UNIONS = (typing.Union, type(int | str))
_ZEROS: dict[ColumnKind, Any] = {
    ColumnKind.INTEGER: 0,
    ColumnKind.FLOAT: 0.0,
    ColumnKind.BOOL: False,
    ColumnKind.TEXT: "",
    ColumnKind.DECIMAL: 0,
    ColumnKind.LIST: (),
}
_WIDER = {
    (ColumnKind.INTEGER, ColumnKind.FLOAT),
    (ColumnKind.INTEGER, ColumnKind.DECIMAL),
    (ColumnKind.ENUM, ColumnKind.TEXT),
    (ColumnKind.UUID, ColumnKind.TEXT),
}


class Field(msgspec.Struct, frozen=True):
    """A field of a result.

    Attributes:
        name: as the class has it; what is selected has the same.
        key: as JSON has it.
        column: its type; None for one that no column has.
        required: it has no default.
        problem: why `column` is None.
    """

    name: str
    key: str
    column: Column | None
    required: bool
    problem: str = ""


class Declared(msgspec.Struct, frozen=True):
    """What a method returns.

    Attributes:
        type: of the object, or of one of a stream.
        optional: None stands for no row.
    """

    type: Any
    optional: bool


def declared(result: Any, streams: bool) -> Declared | str:
    """What an annotation says, or what is wrong with it.

    Args:
        result: the annotation; of a stream, the iterator's or its element's.
        streams: rows come one by one.
    """
    tp = unwrapped(result)
    if streams and get_origin(tp) is AsyncIterator:
        tp = unwrapped(get_args(tp)[0])
    members = get_args(tp) if get_origin(tp) in _UNIONS else (tp,)
    inner = [unwrapped(one) for one in members if one not in (None, type(None))]
    if len(inner) != 1 or not is_class_with_fields(inner[0]):
        return (
            f"{name_of(result)} is no result; declare a class whose fields have the names of "
            "what is selected" + ("" if streams else ", with a list in it for several rows")
        )
    return Declared(inner[0], len(inner) < len(members))


def element_of(result: Any) -> Any:
    """What a result that is a plain list holds; None where it is none."""
    tp = unwrapped(result)
    arguments = get_args(tp)
    return arguments[0] if get_origin(tp) is list and len(arguments) == 1 else None


def is_class_with_fields(tp: Any) -> bool:
    """Whether a result can be of this type."""
    return is_model(tp) or has_fields(get_origin(tp) or tp)


def is_array(tp: Any) -> bool:
    """Whether JSON has objects of a class as arrays, by the order of its fields."""
    cls = get_origin(tp) or tp
    config = getattr(cls, "__struct_config__", None)
    return (isinstance(cls, type) and issubclass(cls, tuple)) or getattr(
        config, "array_like", False
    )


def fields(tp: Any) -> dict[str, Field]:
    """The fields of a result's class by their names."""
    required = _required(tp)
    found: dict[str, Field] = {}
    for one in fields_of(tp):
        column, problem = None, ""
        try:
            column = column_of(one.name, one.type)
        except ShapeProblem as wrong:
            problem = str(wrong)
        needed = one.always and required.get(one.name, True)
        found[one.name] = Field(one.name, one.key, column, needed, problem)
    return found


def _required(tp: Any) -> dict[str, bool]:
    if is_model(tp):
        model: Any = tp
        return {name: one.is_required() for name, one in model.model_fields.items()}
    picture: Any = inspect.type_info(tp)
    return {one.name: one.required for one in picture.fields}


def fits(have: Column, want: Column) -> bool:
    """Whether a value can stand in a field, nulls apart."""
    if want.kind is ColumnKind.JSON:
        return want.type in (Any, object) or have.type == want.type
    if have.kind is not want.kind:
        return (have.kind, want.kind) in _WIDER
    if have.kind is ColumnKind.LIST and have.element is not None and want.element is not None:
        return fits(have.element, want.element) and (have.element.kind is want.element.kind)
    if have.kind is ColumnKind.OBJECT:
        return bool(have.type == want.type)
    return True


def zero(want: Column) -> Any:
    """What a null becomes in a field that takes none; None when there is nothing (VW-64)."""
    found = _ZEROS.get(want.kind)
    return [] if want.kind is ColumnKind.LIST else found


def misfit(name: str, have: Column, want: Column) -> str:
    """What to say of a value that does not fit its field."""
    return f"{name} is {shown(have)}, the result's field {name} is {name_of(want.type)}"
