"""Shapes of types: what can be written as JSON and MessagePack, and what is said about the rest.

msgspec decides. This module asks it before anything runs, names the field that it refuses, and says
what to write instead. It also knows what msgspec leaves to hooks: pydantic models, without
importing pydantic.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any, TypeGuard, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import inspect as shape

Shape = shape.Type
OBJECTS = (shape.StructType, shape.DataclassType, shape.TypedDictType, shape.NamedTupleType)
_KEYS = (
    shape.AnyType,
    shape.StrType,
    shape.IntType,
    shape.FloatType,
    shape.EnumType,
    shape.LiteralType,
    shape.DateTimeType,
    shape.DateType,
    shape.TimeType,
    shape.TimeDeltaType,
    shape.UUIDType,
    shape.DecimalType,
    shape.BytesType,
)
_WAY_OUT = (
    "use a dataclass, msgspec.Struct, TypedDict, NamedTuple, enum, pydantic model, "
    "list, dict or scalar"
)


class Unfit(typing.NamedTuple):
    """A part of a type that cannot be written: where it is and why, with a way out."""

    path: str
    why: str

    def __str__(self) -> str:
        return f"{self.path}: {self.why}" if self.path else self.why


def is_class(tp: Any) -> TypeGuard[type[Any]]:
    """Whether a type is a class, not an alias or a union."""
    return isinstance(tp, type) and tp is not Any  # which is a class since Python 3.11


def is_model(tp: Any) -> TypeGuard[type[Any]]:
    """Whether a type is a pydantic model; pydantic is not imported to find out."""
    return (
        isinstance(tp, type)
        and hasattr(tp, "__pydantic_validator__")
        and hasattr(tp, "model_validate")
    )


def shape_of(tp: Any) -> Shape:
    """msgspec's picture of a type; `Never` and what has no picture count as any value."""
    try:
        return shape.type_info(tp)
    except (TypeError, NameError):
        return shape.AnyType()


def alternatives(picture: Shape) -> tuple[Shape, ...]:
    """Members of a union without None; anything else alone."""
    members = picture.types if isinstance(picture, shape.UnionType) else (picture,)
    return tuple(member for member in members if not isinstance(member, shape.NoneType))


def is_structured(tp: Any) -> bool:
    """Whether a value of this type has named fields: alone it is a whole body."""
    members = alternatives(shape_of(tp))
    return bool(members) and all(
        isinstance(member, OBJECTS)
        or (isinstance(member, shape.CustomType) and is_model(member.cls))
        for member in members
    )


def is_flat(tp: Any) -> bool:
    """Whether a value fits a path segment or a query string: a scalar, or a list of scalars."""
    members = alternatives(shape_of(tp))
    return all(isinstance(_element(member), _FLAT) for member in members)


def is_scalar(tp: Any) -> bool:
    """Whether a value fits one path segment."""
    return all(isinstance(member, _FLAT) for member in alternatives(shape_of(tp)))


_FLAT = (*_KEYS, shape.BoolType, shape.NoneType)
_LISTS = (shape.ListType, shape.SetType, shape.FrozenSetType, shape.VarTupleType)


def is_list(picture: Shape) -> bool:
    """Whether a parameter of this shape may be repeated in a query string."""
    return any(isinstance(member, _LISTS) for member in alternatives(picture))


def _element(picture: Shape) -> Shape:
    return picture.item_type if isinstance(picture, _LISTS) else picture


def walk(picture: Shape) -> Iterator[Shape]:
    """A picture and all pictures in it, each once (types may hold themselves)."""
    seen: set[int] = set()
    waiting: list[Shape] = [picture]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting.extend(parts(one))


def parts(picture: Shape) -> tuple[Shape, ...]:
    """Pictures directly inside of a picture."""
    match picture:
        case shape.UnionType(types=members):
            return members
        case shape.TupleType(item_types=members):
            return members
        case shape.DictType(key_type=key, value_type=value):
            return (key, value)
        case shape.ListType() | shape.SetType() | shape.FrozenSetType() | shape.VarTupleType():
            return (picture.item_type,)
        case shape.CollectionType():
            return (picture.item_type,)
        case (
            shape.StructType()
            | shape.DataclassType()
            | shape.TypedDictType()
            | shape.NamedTupleType()
        ):
            return tuple(field.type for field in picture.fields)
        case shape.Metadata(type=inner):
            return (inner,)
        case _:
            return ()


def contains(tp: Any, *kinds: type[Shape]) -> bool:
    """Whether a value of this type may hold a value of one of these kinds; any value may."""
    return any(
        isinstance(part, (shape.AnyType, shape.CustomType, *kinds)) for part in walk(shape_of(tp))
    )


# ---- what cannot be written ---------------------------------------------------------------------
def unfit(tp: Any, path: str = "") -> list[Unfit]:
    """The innermost parts of a type that cannot be encoded; empty when it is fine."""
    return _unfit(tp, path, set())


def _unfit(tp: Any, path: str, seen: set[Any]) -> list[Unfit]:
    key = repr(tp) if not isinstance(tp, type) else tp
    if key in seen:
        return []
    seen.add(key)
    try:
        inside = [
            found for name, part in _children(tp) for found in _unfit(part, _join(path, name), seen)
        ]
    except NameError as problem:
        return [
            Unfit(
                path,
                f"an annotation of {name_of(tp)} cannot be resolved ({problem}); import the name",
            )
        ]
    if inside:
        return inside
    try:
        msgspec.json.Decoder(tp)
        picture = shape.type_info(tp)
    except (TypeError, NameError) as problem:
        return [Unfit(path, _in_words(tp, str(problem)))]
    if (
        isinstance(picture, shape.CustomType)
        and picture.cls is not object
        and not is_model(picture.cls)
    ):
        return [Unfit(path, f"objects of type {name_of(tp)} cannot be encoded; {_WAY_OUT}")]
    if isinstance(picture, shape.DictType):
        keys = alternatives(picture.key_type)
        if not keys or not all(isinstance(one, _KEYS) for one in keys):
            return [
                Unfit(
                    path, f"keys of {name_of(tp)} cannot be encoded; use strings or numbers as keys"
                )
            ]
    return []


def _in_words(tp: Any, problem: str) -> str:
    if get_origin(tp) in (Union, types.UnionType):
        return (
            f"the members of {name_of(tp)} cannot be told apart; "
            "make them msgspec.Struct classes with tag=True, or use one class"
        )
    return f"{name_of(tp)} cannot be encoded ({problem}); {_WAY_OUT}"


def _children(tp: Any) -> Iterator[tuple[str, Any]]:
    """Parts of a type with the path to each: fields by name, elements as `[]`."""
    origin = get_origin(tp)
    if origin is Annotated:
        yield from _children(get_args(tp)[0])
    elif origin in (Union, types.UnionType):
        yield from (("", member) for member in get_args(tp))
    elif origin is typing.Literal or is_model(tp):
        return
    elif has_fields(origin or tp):
        yield from ((name, hint) for name, hint, _ in _declared(tp))
    elif isinstance(origin, type) and issubclass(origin, (list, set, frozenset, tuple, dict)):
        yield from (("[]", part) for part in get_args(tp) if part is not Ellipsis)


def _required(hint: Any) -> Any:
    """A TypedDict's field without `Required[...]` around it."""
    name = _name_of_origin(hint)
    return get_args(hint)[0] if name in ("Required", "NotRequired", "ReadOnly") else hint


def _name_of_origin(hint: Any) -> str:
    return getattr(get_origin(hint), "_name", "")


def _declared(tp: Any) -> Iterator[tuple[str, Any, bool]]:
    """Fields of a class: name, type, and whether every object has it."""
    cls = get_origin(tp) or tp
    names = dict(zip(getattr(cls, "__parameters__", ()), get_args(tp), strict=False))
    optional: frozenset[str] = getattr(cls, "__optional_keys__", frozenset())
    for name, hint in get_type_hints(cls, include_extras=True).items():
        if get_origin(hint) is not typing.ClassVar and hint is not typing.ClassVar:
            # Where annotations are postponed the class itself does not know which are optional.
            absent = name in optional or _name_of_origin(hint) == "NotRequired"
            yield name, substitute(_required(hint), names), not absent


class Field(typing.NamedTuple):
    """A field of a class with fields.

    Attributes:
        name: as the class has it.
        key: as its JSON has it.
        type: of its values.
        always: every object has it; not so for `NotRequired` ones of a TypedDict.
    """

    name: str
    key: str
    type: Any
    always: bool = True


def fields_of(tp: Any) -> tuple[Field, ...]:
    """The fields of a class that has some, pydantic models too, in order."""
    if is_model(tp):
        models: Any = tp
        fields: dict[str, Any] = models.model_fields
        return tuple(Field(name, name, one.annotation) for name, one in fields.items())
    picture = shape_of(tp)
    keys = (
        {one.name: one.encode_name for one in picture.fields}
        if isinstance(picture, OBJECTS)
        else {}
    )
    return tuple(
        Field(name, keys[name], hint, always)
        for name, hint, always in _declared(tp)
        if name in keys
    )


def has_fields(cls: Any) -> bool:
    """Whether a class declares fields: dataclass, struct, attrs, TypedDict, NamedTuple."""
    marks = ("__dataclass_fields__", "__attrs_attrs__", "__struct_fields__", "_fields")
    # A TypedDict of typing_extensions is none to `typing`.
    return is_class(cls) and any(hasattr(cls, mark) for mark in (*marks, "__required_keys__"))


def substitute(tp: Any, names: dict[Any, Any]) -> Any:
    """A type with type variables replaced; those without a value stay."""
    if not names:
        return tp
    if isinstance(tp, typing.TypeVar):
        return names.get(tp, tp)
    free = getattr(tp, "__parameters__", ())
    if not free or isinstance(tp, type):
        return tp
    return tp[tuple(names.get(one, one) for one in free)]


def free_variables(tp: Any) -> tuple[Any, ...]:
    """Type variables that a type still holds."""
    if isinstance(tp, typing.TypeVar):
        return (tp,)
    return () if isinstance(tp, type) else tuple(getattr(tp, "__parameters__", ()))


def _join(path: str, name: str) -> str:
    return path + name if not path or not name or name == "[]" else f"{path}.{name}"


def name_of(tp: Any) -> str:
    """A type as its user would write it."""
    if tp is None or tp is type(None):
        return "None"
    if isinstance(tp, type) and not get_args(tp):
        return tp.__name__
    if get_origin(tp) in (Union, types.UnionType):
        return " | ".join(name_of(member) for member in get_args(tp))
    if get_args(tp) and (origin := get_origin(tp)) is not None:
        arguments = ", ".join("..." if part is Ellipsis else name_of(part) for part in get_args(tp))
        return f"{name_of(origin)}[{arguments}]"
    return getattr(tp, "__name__", None) or repr(tp).replace("typing.", "")
