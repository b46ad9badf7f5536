"""Errors of decoders in the words of the sender: the field's path, what was expected, what came."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import inspect as shape

from actorkalix.codec.strictness import Wrong, wrong_number
from actorkalix.describe.shapes import Shape, alternatives
from actorkalix.errors import InvalidPayload

DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoders raise for bytes that do not fit; `ValidationError` is a `DecodeError`."""

_AT = re.compile(r" - at `(?:key` in `)?\$(.*)`$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(.*)`$")
_INNER = re.compile(r"^([.\[][^ ]*): (.*)$", re.DOTALL)  # of a pydantic model
_UNKNOWN = re.compile(r"^Object contains unknown field `(.*)`$")


def wrong_payload(
    problem: Exception, payload: bytes, root: Shape, whole: str = "body"
) -> InvalidPayload:
    """The error for bytes that a decoder refused.

    Args:
        problem: what the decoder raised.
        payload: the bytes.
        root: shape of what was expected, to say what a missing field should be.
        whole: name of the whole, used when the problem lies at the top.
    """
    if isinstance(problem, RecursionError):
        return InvalidPayload(f"{whole}: nested too deeply")
    if isinstance(problem, UnicodeDecodeError):
        return InvalidPayload(
            f"{whole}: not UTF-8 (byte {problem.object[problem.start]:#04x}); send UTF-8"
        )
    if isinstance(problem, msgspec.ValidationError):
        path, said = validation(str(problem), root)
        return invalid(path, said, whole)
    if (wrong := _not_a_number(payload)) is not None:
        return invalid(*wrong, whole)
    if invalid_utf8(payload):
        return InvalidPayload(f"{whole}: not UTF-8; send UTF-8")
    detail = str(problem).removeprefix("JSON is malformed: ")
    return InvalidPayload(f"{whole}: not valid JSON ({detail})")


def invalid(path: str, said: str, whole: str = "body") -> InvalidPayload:
    """An error about one field."""
    return InvalidPayload(f"{path.removeprefix('.') or whole}: {said}")


def validation(message: str, root: Shape | None = None) -> Wrong:
    """Path and words of a decoder's message; `root` tells what a missing field should be."""
    root = root or shape.AnyType()
    at = _AT.search(message)
    path = at.group(1) if at else ""
    said = message[: at.start()] if at else message
    if missing := _MISSING.match(said):
        name = missing.group(1)
        wanted = _find(root, [*_steps(path), name])
        return f"{path}.{name}", f"missing, expected {words(wanted)}" if wanted else "missing"
    if extra := _UNKNOWN.match(said):
        holder = _find(root, _steps(path))
        known = sorted(_fields(holder)) if holder else []
        return (
            f"{path}.{extra.group(1)}",
            f"unknown; known are {', '.join(known)}" if known else "unknown",
        )
    if inner := _INNER.match(said):
        return path + inner.group(1), inner.group(2)
    said = said.replace("`", "")
    if said == "Integer value out of range":
        said = "the integer is beyond 64 bits; send it as a string"
    elif said == "Number out of range":
        said = "expected a finite number"
    elif said.startswith("Invalid enum value") and (wanted := _find(root, _steps(path))):
        said = f"{said}, expected {words(wanted)}"
    return path, said[:1].lower() + said[1:]


def _not_a_number(payload: bytes) -> Wrong | None:
    """Where a body that only `json` can read has its NaN or Infinity."""
    try:
        return wrong_number(json.loads(payload))
    except (ValueError, RecursionError):
        return None


def invalid_utf8(payload: bytes) -> bool:
    """Whether that is what is wrong with it; decoders say it in many ways."""
    try:
        payload.decode()
    except UnicodeDecodeError:
        return True
    return False


# ---- finding what was expected at a path --------------------------------------------------------
def _steps(path: str) -> list[str]:
    return [step for step in re.split(r"\.|(?=\[)", path) if step]


def _find(root: Shape, steps: Iterable[str]) -> Shape | None:
    found: Shape | None = root
    for step in steps:
        found = (
            next((inner for one in alternatives(found) if (inner := _into(one, step))), None)
            if found
            else None
        )
    return found


def _into(picture: Any, step: str) -> Shape | None:
    if not step.startswith("["):
        return _fields(picture).get(step)
    if isinstance(picture, shape.DictType):
        return picture.value_type
    if isinstance(picture, shape.TupleType):
        index = int(step[1:-1])
        return picture.item_types[index] if index < len(picture.item_types) else None
    inner: Shape | None = getattr(picture, "item_type", None)
    return inner


def _fields(picture: Any) -> dict[str, Shape]:
    return {field.encode_name: field.type for field in getattr(picture, "fields", ())}


_WORDS: dict[type[Shape], str] = {
    shape.AnyType: "any value",
    shape.NoneType: "null",
    shape.BoolType: "bool",
    shape.IntType: "int",
    shape.FloatType: "float",
    shape.StrType: "str",
    shape.BytesType: "base64 string",
    shape.DateTimeType: "datetime (RFC 3339)",
    shape.DateType: "date (RFC 3339)",
    shape.TimeType: "time (RFC 3339)",
    shape.TimeDeltaType: "duration (ISO 8601)",
    shape.UUIDType: "UUID",
    shape.DecimalType: "decimal number (as string)",
    shape.DictType: "object",
    shape.StructType: "object",
    shape.DataclassType: "object",
    shape.TypedDictType: "object",
    shape.CustomType: "object",
}


def words(picture: Shape) -> str:
    """A shape as the sender of JSON would call it."""
    if isinstance(picture, shape.UnionType):
        return " or ".join(dict.fromkeys(words(member) for member in picture.types))
    if isinstance(picture, shape.EnumType):
        return "one of " + ", ".join(repr(member.value) for member in picture.cls)
    if isinstance(picture, shape.LiteralType):
        return "one of " + ", ".join(map(repr, picture.values))
    return _WORDS.get(type(picture), "array")
