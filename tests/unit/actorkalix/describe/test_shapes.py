"""What can be encoded, and the words for what cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, NewType, TypedDict, TypeVar

import msgspec
import pytest
from msgspec import inspect as shape
from pydantic import BaseModel

from actorkalix.describe.shapes import (
    alternatives,
    contains,
    free_variables,
    has_fields,
    is_class,
    is_flat,
    is_list,
    is_model,
    is_scalar,
    is_structured,
    name_of,
    parts,
    shape_of,
    substitute,
    unfit,
    walk,
)

T = TypeVar("T")
Number = NewType("Number", int)


class Model(BaseModel):
    at: Path


@dataclass
class Node(Generic[T]):
    value: T
    children: list[Node[T]]


class Settings(TypedDict, total=False):
    number: Number


class A(msgspec.Struct, tag=True):
    pass


class B(msgspec.Struct, tag=True):
    pass


@dataclass
class Bad:
    call: Callable[[], int]


OPEN: Any = list.__class_getitem__(T)
FIT: list[Any] = [
    int,
    Any,
    object,
    None,
    Number,
    Literal["a", 1],
    Node[int],
    Settings,
    Model,
    Model | None,
    A | B,
    list[A | B],
    dict[str, Node[str]],
    tuple[int, ...],
    set[str],
    dict[int, float],
]


@pytest.mark.parametrize("tp", FIT, ids=name_of)
def test_fit(tp: object) -> None:
    assert unfit(tp) == []


@pytest.mark.parametrize(
    "tp, said",
    [
        (Path, "objects of type Path cannot be encoded; use a dataclass"),
        (Bad, "call: objects of type Callable[[], int] cannot be encoded"),
        (Node[Path], "value: objects of type Path cannot be encoded"),
        (list[Bad], "[].call: "),
        (dict[Bad, int], "[].call: "),
        (dict[None, int], "keys of dict[None, int] cannot be encoded"),
        (Path | int, "objects of type Path cannot be encoded"),
        (Node[int] | Settings, "the members of Node[int] | Settings cannot be told apart"),
        (complex, "objects of type complex cannot be encoded"),
    ],
)
def test_unfit(tp: object, said: str) -> None:
    assert said in "; ".join(map(str, unfit(tp)))


def test_structured_flat_and_scalar() -> None:
    structured: list[Any] = [Node[int], Settings, Model, A | B, Model | None]
    for tp in structured:
        assert is_structured(tp) and not is_flat(tp)
    scalars: list[Any] = [int, Literal["a"], str | None, bool]
    for tp in scalars:
        assert is_scalar(tp) and is_flat(tp) and not is_structured(tp)
    assert is_flat(list[int]) and not is_scalar(list[int]) and is_list(shape_of(list[int]))
    assert not is_structured(list[A]) and not is_structured(None)


def test_pictures() -> None:
    picture = shape_of(Node[int])
    assert sum(isinstance(one, shape.IntType) for one in walk(picture)) == 1
    assert parts(shape_of(dict[str, int])) == (shape.StrType(), shape.IntType())
    assert alternatives(shape_of(int | None)) == (shape.IntType(),)
    assert contains(list[float], shape.FloatType) and not contains(str, shape.FloatType)
    assert contains(Any, shape.FloatType)


def test_classes() -> None:
    assert is_class(int) and not is_class(list[int]) and not is_class(Any)
    assert is_model(Model) and not is_model(Bad)
    assert has_fields(Bad) and has_fields(Settings) and has_fields(A) and not has_fields(int)


def test_type_variables() -> None:
    assert substitute(OPEN, {T: int}) == list[int]
    assert substitute(OPEN | None, {T: int}) == list[int] | None
    assert free_variables(OPEN) == (T,) and free_variables(Node) == ()
