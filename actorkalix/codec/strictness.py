"""What msgspec lets pass and we refuse: keys that nobody asked for, and numbers that are none.

msgspec ignores unknown keys of dataclasses, reads integers of any size and, in MessagePack and
query strings, takes NaN for a float. A checker is built once per type and walks the untyped value;
it returns None, or where and what.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from typing import Any

from msgspec import inspect as shape

from actorkalix.codec.untyped import is_array, is_object
from actorkalix.describe.shapes import Shape

Wrong = tuple[str, str]
Checker = Callable[[Any], Wrong | None]

LONG_NUMBER_BYTES = 19
LONG_NUMBER = re.compile(rb"\d{%d}" % LONG_NUMBER_BYTES)
"""No integer beyond 64 bits is without such a run; most bodies are, and need no walk."""

INT_MIN, INT_MAX = -(2**63), 2**64 - 1


def wrong_number(value: Any) -> Wrong | None:
    """The first integer beyond 64 bits, or float that is not finite, in an untyped value."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return (
            None
            if INT_MIN <= value <= INT_MAX
            else ("", "the integer is beyond 64 bits; send it as a string")
        )
    if isinstance(value, float):
        return None if math.isfinite(value) else ("", f"expected a finite number, got {value}")
    if is_object(value):
        return _first((f".{key}", one) for key, one in value.items())
    if is_array(value):
        return _first((f"[{index}]", one) for index, one in enumerate(value))
    return None


def _first(inside: Any) -> Wrong | None:
    for path, one in inside:
        if (wrong := wrong_number(one)) is not None:
            return path + wrong[0], wrong[1]
    return None


def checker(picture: Shape) -> Checker | None:
    """A checker for values of this shape, or None where nothing can be wrong."""
    return _Builder().build(picture)


def unknown(key: str, known: Collection[str]) -> str:
    """What is said of a key that nobody asked for."""
    return (
        "unknown; "
        f"{'known are ' + ', '.join(sorted(known)) if known else 'nothing is expected here'}"
    )


class _Builder:
    """Builds checkers; types that hold themselves find the checker that is being built."""

    def __init__(self) -> None:
        self._objects: dict[int, Checker | None] = {}

    def build(self, picture: Shape) -> Checker | None:
        match picture:
            case (
                shape.StructType()
                | shape.DataclassType()
                | shape.TypedDictType()
                | shape.NamedTupleType()
            ):
                return self._object(picture)
            case shape.DictType(value_type=inner):
                return _values(self.build(inner))
            case shape.TupleType(item_types=members):
                return _positions(tuple(self.build(member) for member in members))
            case shape.ListType() | shape.SetType() | shape.FrozenSetType() | shape.VarTupleType():
                return _elements(self.build(picture.item_type))
            case shape.UnionType(types=members):
                return self._union(members)
            case shape.DecimalType():
                return _finite_decimal
            case shape.Metadata(type=inner):
                return self.build(inner)
            case _:
                return None

    def _object(self, picture: Any) -> Checker | None:
        if id(picture) in self._objects:
            return self._objects[id(picture)]
        inner: list[Checker] = []

        def late(value: Any) -> Wrong | None:
            return inner[0](value)

        self._objects[id(picture)] = late
        fields = [(field.encode_name, self.build(field.type)) for field in picture.fields]
        if isinstance(picture, shape.NamedTupleType) or getattr(picture, "array_like", False):
            made = _positions(tuple(each for _, each in fields), exact=True)
            assert made is not None
        else:
            nested = tuple((name, each) for name, each in fields if each is not None)
            if not nested and _refuses_unknown(picture):
                self._objects[id(picture)] = None  # nobody has `late`: it does not hold itself
                return None
            known = frozenset(name for name, _ in fields) | frozenset(_tag(picture))
            made = _keys(known, nested)
        inner.append(made)
        self._objects[id(picture)] = made
        return made

    def _union(self, members: tuple[Shape, ...]) -> Checker | None:
        by_tag: dict[Any, Checker] = {}
        tag_field = ""
        objects = arrays = strings = None
        for member in members:
            each = self.build(member)
            if each is None:
                continue
            if isinstance(member, shape.StructType) and member.tag_field and not member.array_like:
                by_tag[member.tag], tag_field = each, member.tag_field
            elif isinstance(member, shape.DecimalType):
                strings = each
            elif isinstance(member, _OBJECTS) and not getattr(member, "array_like", False):
                objects = each
            else:
                arrays = each
        if not by_tag and objects is arrays is strings is None:
            return None

        def check(value: Any) -> Wrong | None:
            if is_object(value):
                each = by_tag.get(value.get(tag_field), objects) if by_tag else objects
            else:
                each = arrays if isinstance(value, list) else strings
            return None if each is None else each(value)

        return check


_OBJECTS = (shape.StructType, shape.DataclassType, shape.TypedDictType, shape.DictType)


def _tag(picture: Any) -> tuple[str, ...]:
    name = getattr(picture, "tag_field", None)
    return (name,) if name else ()


def _refuses_unknown(picture: Any) -> bool:
    """msgspec itself takes no unknown key of it."""
    return isinstance(picture, shape.StructType) and picture.forbid_unknown_fields


def _keys(known: frozenset[str], nested: tuple[tuple[str, Checker], ...]) -> Checker:
    def check(value: Any) -> Wrong | None:
        if not is_object(value):
            return None
        if not value.keys() <= known:
            key = next(key for key in value if key not in known)
            return f".{key}", unknown(key, known)
        for name, each in nested:
            if name in value and (wrong := each(value[name])) is not None:
                return f".{name}{wrong[0]}", wrong[1]
        return None

    return check


def _values(each: Checker | None) -> Checker | None:
    if each is None:
        return None

    def check(value: Any) -> Wrong | None:
        if is_object(value):
            for key, one in value.items():
                if (wrong := each(one)) is not None:
                    return f".{key}{wrong[0]}", wrong[1]
        return None

    return check


def _elements(each: Checker | None) -> Checker | None:
    if each is None:
        return None

    def check(value: Any) -> Wrong | None:
        if is_array(value):
            for index, one in enumerate(value):
                if (wrong := each(one)) is not None:
                    return f"[{index}]{wrong[0]}", wrong[1]
        return None

    return check


def _positions(each: tuple[Checker | None, ...], exact: bool = False) -> Checker | None:
    if not exact and not any(each):
        return None

    def check(value: Any) -> Wrong | None:
        if not is_array(value):
            return None
        if exact and len(value) > len(each):
            return f"[{len(each)}]", f"unknown; at most {len(each)} elements are expected"
        for index, (one, test) in enumerate(zip(value, each, strict=False)):
            if test is not None and (wrong := test(one)) is not None:
                return f"[{index}]{wrong[0]}", wrong[1]
        return None

    return check


def _finite_decimal(value: Any) -> Wrong | None:
    if isinstance(value, str) and value.strip().lstrip("+-")[:1].lower() in (
        "n",
        "i",
        "s",
    ):  # nan, inf, snan
        return "", f"expected a finite decimal number, got {value!r}"
    return None
