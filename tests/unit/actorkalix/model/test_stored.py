"""Stored types have a tag and a version of their own; old payloads are lifted step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, NamedTuple, TypedDict, TypeVar

import msgspec
import pytest

from actorkalix import DefinitionError, migrate, type_name
from actorkalix.model.stored import migrations_of, tag_of

T = TypeVar("T")


@type_name("item-added", version=3)
@dataclass(frozen=True)
class Added:
    item: str


@migrate(Added, from_version=1)
def second(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "v": 2}


@migrate(Added, from_version=2)
def third(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "v": 3}


class Removed(Added): ...


class Struct(msgspec.Struct): ...


class Record(TypedDict): ...


class Point(NamedTuple):
    x: int


class Colour(Enum):
    RED = 1


class Box(Generic[T]): ...


def test_the_tag_is_the_class_name_until_it_is_given() -> None:
    assert tag_of(Added) == ("item-added", 3)
    assert tag_of(int) == ("int", 1)
    assert tag_of(dict[str, list[int]]) == ("dict", 1)
    assert tag_of(Box[int]) == ("Box", 1)
    assert tag_of(Point | None) == ("Point", 1)
    assert tag_of(Added | Struct) == ("item-added|Struct", 3)


def test_a_subclass_has_a_tag_of_its_own() -> None:
    assert tag_of(Removed) == ("Removed", 1)
    assert migrations_of(Removed) == {}


@pytest.mark.parametrize("cls", [Struct, Record, Point, Colour, Box])
def test_every_kind_of_class_can_be_named(cls: Any) -> None:
    assert type_name(f"a-{cls.__name__}", version=2)(cls) is cls
    assert tag_of(cls) == (f"a-{cls.__name__}", 2)
    migrate(cls, from_version=1)(second)
    assert migrations_of(cls) == {1: second}


def test_a_slotted_dataclass_may_be_named_below_or_above() -> None:
    @dataclass(slots=True)
    @type_name("below")
    class Below:
        n: int

    assert tag_of(Below) == ("below", 1)


def test_migrations_are_kept_by_the_version_that_they_take() -> None:
    assert migrations_of(Added) == {1: second, 2: third}
    assert second({"item": "x"}) == {"item": "x", "v": 2}


@pytest.mark.parametrize(
    "define,why",
    [
        (lambda: type_name("")(Removed), "1 to 128 bytes"),
        (lambda: type_name("é" * 65)(Removed), "1 to 128 bytes"),
        (lambda: type_name("x", version=0)(Removed), "whole number from 1"),
        (lambda: type_name("x", version=True)(Removed), "whole number from 1"),
        (lambda: migrate(Removed, from_version=1), r"is version 1; write @type_name\(\"Removed\""),
        (lambda: migrate(Added, from_version=3), "is version 3"),
        (lambda: migrate(Added, from_version=0), "is version 3"),
        (lambda: migrate(Added, from_version=1), "another @migrate with from_version=1"),
    ],
)
def test_names_that_cannot_be_are_refused_with_their_place(
    define: Callable[[], object], why: str
) -> None:
    with pytest.raises(DefinitionError, match=why) as raised:
        define()
    assert str(raised.value).startswith(f"{__file__}:")
