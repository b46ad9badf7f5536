"""Which part of a value could not be encoded. Slow, and only asked after an encoder has said no."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, TypeGuard

import msgspec

from actorkalix.codec.hooks import encode_hook
from actorkalix.codec.untyped import is_array, is_object


def blame(where: str, value: Any, problem: Exception) -> str:
    """A message that names the innermost part that cannot be encoded, and why."""
    try:
        path, reason = _find(value, "", problem)
    except RecursionError:
        path, reason = "", problem
    return f"{where}{path}: {_said(reason)}"


def _said(problem: Exception) -> str:
    if isinstance(problem, OverflowError):
        return "the integer is beyond 64 bits"
    if isinstance(problem, RecursionError):
        return "nested too deeply, or it holds itself"
    return str(problem) or type(problem).__name__


def _find(value: Any, path: str, problem: Exception) -> tuple[str, Exception]:
    for step, inner in _inside(value):
        try:
            msgspec.msgpack.encode(inner, enc_hook=encode_hook)
        except Exception as inner_problem:  # noqa: BLE001  # whatever it is, it is what we look for
            return _find(inner, path + step, inner_problem)
    return path, problem


def _inside(value: Any) -> Iterator[tuple[str, Any]]:
    if is_dataclass(value) and not isinstance(value, type):
        yield from ((f".{field.name}", getattr(value, field.name)) for field in fields(value))
    elif isinstance(value, msgspec.Struct):
        yield from ((f".{name}", getattr(value, name)) for name in value.__struct_fields__)
    elif is_object(value):
        yield from ((f".{key}", inner) for key, inner in value.items())
    elif is_array(value):
        names: tuple[str, ...] = getattr(value, "_fields", ())
        for index, inner in enumerate(value):
            yield f".{names[index]}" if names else f"[{index}]", inner
    elif _is_set(value):
        yield from (("[]", inner) for inner in value)


def _is_set(value: Any) -> TypeGuard[Iterable[Any]]:
    return isinstance(value, (set, frozenset))
