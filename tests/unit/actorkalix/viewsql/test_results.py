"""Classes that results are of: what they need, and how their JSON looks."""

from __future__ import annotations

from typing import Any, NamedTuple, NotRequired, TypedDict

import msgspec
import pydantic
import pytest

from actorkalix.viewsql.results import Declared, declared, fields, is_array
from tests.unit.actorkalix.viewsql.tables import Address, Customer, answer, refused


class Tuple(NamedTuple):
    name: str
    address: Address | None


class Dict(TypedDict):
    name: str
    age: NotRequired[int]


class Model(pydantic.BaseModel):
    name: str
    address: Address | None = None


class Array(msgspec.Struct, array_like=True):
    name: str
    age: int = 0


class Lists(msgspec.Struct):
    rows: list[Tuple]


class Wrapped(NamedTuple):
    rows: list[Tuple]


@pytest.mark.parametrize(
    "result,selected,found",
    [
        (Tuple, "name, address", Tuple("Ann", Address("Bern", "3000"))),
        (Dict, "name", {"name": "Ann"}),
        (Model, "name", Model(name="Ann")),
        (Array, "age, name", Array("Ann", 31)),
        (Lists, "(address, name) AS rows", Lists([Tuple("Ann", Address("Bern", "3000"))])),
    ],
)  # fmt: skip
def test_classes_of_all_kinds(result: Any, selected: str, found: Any) -> None:
    assert answer(f"SELECT {selected} FROM customers WHERE name = 'Ann'", result) == found


def test_an_array_has_all_of_its_fields() -> None:
    assert is_array(Tuple)
    assert is_array(Array)
    assert not is_array(Customer)
    assert not is_array(Dict)
    assert refused("SELECT name FROM customers", Array)[0][1] == (
        "nothing selects the result's age; there is name"
    )
    found = refused("SELECT (name, address) AS rows FROM customers", Wrapped)
    assert found[0][1] == "a result with lists of rows has names in JSON; use a dataclass"


def test_fields_with_a_default_need_not_be_selected() -> None:
    assert [one.required for one in fields(Model).values()] == [True, False]
    assert [one.required for one in fields(Dict).values()] == [True, False]
    assert [one.required for one in fields(Array).values()] == [True, False]


def test_what_an_annotation_says() -> None:
    assert declared(Customer, streams=False) == Declared(Customer, optional=False)
    assert declared(Customer | None, streams=False) == Declared(Customer, optional=True)
    assert isinstance(declared(int, streams=True), str)
