"""Names in annotations, type arguments of bases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import pytest
from typing_extensions import TypeAliasType

from actorkalix.describe.annotations import (
    arguments_of,
    bindings,
    expand,
    members,
    remember_locals,
    resolve,
    scope_of,
    settle,
)

S = TypeVar("S")
T = TypeVar("T")
Pair = TypeAliasType("Pair", tuple[S, S], type_params=(S,))
Number = TypeAliasType("Number", "int | float")


class Base(Generic[S, T]):
    pass


class Middle(Base[list[T], int], Generic[T]):
    pass


class Leaf(Middle[str]):
    pass


def test_arguments_of_bases() -> None:
    assert arguments_of(Leaf, Base) == (list[str], int)
    assert arguments_of(Middle, Base) == (list.__class_getitem__(T), int)
    assert bindings(Leaf)[Middle] == {T: str}


def test_names_are_looked_up_where_they_stand() -> None:
    assert resolve("list[Leaf]", globals(), {}) == list[Leaf]
    assert resolve("Here | None", {}, {"Here": int}) == int | None
    assert resolve(None, {}, {}) is type(None)
    assert resolve("Annotated[int, 'x']", {"Annotated": Annotated}, {}) == Annotated[int, "x"]
    with pytest.raises(NameError):
        resolve("Nowhere", {}, {})


def test_aliases_are_expanded() -> None:
    assert expand(Pair[int]) == tuple[int, int]
    assert expand(list[Pair[int]]) == list[tuple[int, int]]
    assert expand(Pair[int] | None) == tuple[int, int] | None
    assert members(int | str) == (int, str)
    assert members(int) == (int,)


def test_scope() -> None:
    class Inner:
        pass

    remember_locals(Inner, {"here": 1})
    assert scope_of(Inner) == {"here": 1, "Inner": Inner}
    assert scope_of(Leaf) == {"Leaf": Leaf}


def test_fields_of_local_classes_are_settled() -> None:
    @dataclass
    class Line:
        product: str

    @dataclass
    class Order:
        lines: list[Line]
        note: str

    local: dict[str, Any] = {"Line": Line}
    settle(Order, local)
    assert Order.__annotations__["lines"] == list[Line]
    assert Order.__annotations__["note"] == "str"
