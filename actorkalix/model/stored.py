"""Names and versions of stored types: a tag is stored, never a module and class."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, Union, get_args, get_origin

from actorkalix.errors import DefinitionError

T = TypeVar("T")
M = TypeVar("M", bound=Callable[[dict[str, Any]], dict[str, Any]])
Migration = Callable[[dict[str, Any]], dict[str, Any]]

_TAG = "__actorkalix_tag__"
_MIGRATIONS = "__actorkalix_migrations__"
TAG_BYTES_MAX = 128


def type_name(tag: str, /, *, version: int = 1) -> Callable[[type[T]], type[T]]:
    """Name the type under which values of this class are stored, by default its own name.

    Args:
        tag: stable for as long as anything is stored under it; 1 to 128 bytes.
        version: of its fields, 1 and up. Raise it when old payloads need `@migrate`.

    Raises:
        DefinitionError: tag or version are something else.
    """
    named = _checked(tag, version, _place())

    def mark(cls: type[T]) -> type[T]:
        setattr(cls, _TAG, named)
        return cls

    return mark


def migrate(cls: type[Any], /, *, from_version: int) -> Callable[[M], M]:
    """Turn a stored payload of an older version into one of the next version.

    Args:
        cls: the class as it is now; its `@type_name` says the newest version.
        from_version: that the function takes; it gives `from_version + 1`.

    Raises:
        DefinitionError: there is no newer version, or another function has this step.
    """
    place = _place()
    tag, version = tag_of(cls)
    if type(from_version) is not int or not 1 <= from_version < version:
        raise DefinitionError(
            f"{place}: @migrate({cls.__name__}, from_version={from_version!r}), but "
            f"{cls.__name__} is version {version}; write "
            f'@type_name("{tag}", version=...) with the newest version above the class'
        )
    if from_version in migrations_of(cls):
        raise DefinitionError(
            f"{place}: {cls.__name__} has another @migrate with from_version={from_version}"
        )

    def mark(fn: M) -> M:
        setattr(cls, _MIGRATIONS, {**migrations_of(cls), from_version: fn})
        return fn

    return mark


def tag_of(cls: Any) -> tuple[str, int]:
    """Tag and version under which values of this type are stored.

    Args:
        cls: a class, an alias like `dict[str, int]` (it has the name of its origin), or a union
            (its members' names with "|" between, without None).
    """
    if isinstance(cls, type) and get_origin(cls) is None:
        tag: tuple[str, int] = vars(cls).get(_TAG, (cls.__name__, 1))
        return tag
    origin = get_origin(cls)
    if origin in (Union, types.UnionType):
        tags = [tag_of(member) for member in get_args(cls) if member is not types.NoneType]
        return "|".join(name for name, _ in tags), max(version for _, version in tags)
    if origin is None:
        raise TypeError(f"{cls!r} is no type that can be stored")
    return tag_of(origin)


def migrations_of(cls: Any) -> Mapping[int, Migration]:
    """Functions that lift old payloads, by the version that each takes."""
    owner = cls if get_origin(cls) is None else get_origin(cls)
    migrations: Mapping[int, Migration] = getattr(owner, "__dict__", {}).get(_MIGRATIONS, {})
    return migrations


def _checked(tag: object, version: object, place: str) -> tuple[str, int]:
    if not isinstance(tag, str) or not 0 < len(tag.encode()) <= TAG_BYTES_MAX:
        raise DefinitionError(f"{place}: a type name has 1 to {TAG_BYTES_MAX} bytes, got {tag!r}")
    if type(version) is not int or version < 1:
        raise DefinitionError(
            f"{place}: the version of {tag!r} is a whole number from 1, got {version!r}"
        )
    return tag, version


def _place() -> str:
    frame = sys._getframe(2)
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
