"""Stored data without its classes: what the command line shows, what migrations get."""

from __future__ import annotations

import math
from typing import Any, TypeGuard

import msgpack
import msgspec

from actorkalix.errors import StoredDataUnreadable

_MSGPACK: Any = msgpack  # has no types


def is_object(value: Any) -> TypeGuard[dict[Any, Any]]:
    """Whether an untyped value is an object."""
    return isinstance(value, dict)


def is_array(value: Any) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    """Whether an untyped value is an array."""
    return isinstance(value, (list, tuple))


class Peeked(msgspec.Struct, frozen=True):
    """An envelope, opened without classes.

    Attributes:
        tag: type name.
        version: of the type's fields.
        data: dicts, lists and scalars.
        metadata: (name, value) pairs stored with an event, or None.
    """

    tag: str
    version: int
    data: Any
    metadata: tuple[tuple[str, str], ...] | None = None


def unpack(payload: bytes) -> Any:
    """Plain values of MessagePack bytes; timestamps become `datetime` in UTC.

    Raises:
        ValueError: they are not MessagePack.
    """
    try:
        return _MSGPACK.unpackb(payload, timestamp=3, strict_map_key=False)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as problem:
        raise ValueError(f"not MessagePack: {problem}") from problem


def peek(payload: bytes) -> Peeked:
    """Open the envelope of an event, state or snapshot.

    Raises:
        StoredDataUnreadable: it is no envelope.
    """
    try:
        return msgspec.convert(unpack(payload), _Envelope).opened()
    except (ValueError, msgspec.ValidationError) as problem:
        raise StoredDataUnreadable(
            f"no envelope of type name, version and data: {problem}"
        ) from problem


class _Envelope(msgspec.Struct, array_like=True):
    tag: str
    version: int
    data: Any
    metadata: tuple[tuple[str, str], ...] | None

    def opened(self) -> Peeked:
        return Peeked(self.tag, self.version, self.data, self.metadata)


def jsonable(value: Any) -> Any:
    """A value as JSON can show it: times in RFC 3339, bytes in base64, NaN as string."""
    return _finite(msgspec.to_builtins(value, str_keys=True, enc_hook=repr))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if is_object(value):
        return {key: _finite(inner) for key, inner in value.items()}
    if is_array(value):
        return [_finite(inner) for inner in value]
    return value
