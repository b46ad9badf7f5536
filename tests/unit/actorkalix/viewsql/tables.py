"""Two tables with rows, compiled queries over them, and their answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest

from actorkalix.viewsql.answers import Answer
from actorkalix.viewsql.compiling import compile_query
from actorkalix.viewsql.functions import install
from actorkalix.viewsql.problems import Problem
from actorkalix.viewsql.query import Query
from actorkalix.viewsql.shapes import shape_of
from actorkalix.viewsql.storage import TableStorage
from actorkalix.viewsql.words import words_of


@dataclass(frozen=True)
class Address:
    city: str
    zip: str | None = None


@dataclass(frozen=True)
class Customer:
    name: str
    age: int
    rating: float | None
    vip: bool
    since: datetime
    credit: Decimal
    level: Literal["gold", "silver"]
    key: UUID
    address: Address | None = None
    tags: tuple[str, ...] = ()
    visits: tuple[datetime, ...] = ()
    prices: tuple[Decimal, ...] = ()
    counts: dict[str, int] = field(default_factory=dict[str, int])
    secret: bytes = b""


@dataclass(frozen=True)
class Purchase:
    customer: str
    product: str
    amount: Decimal
    note: str | None
    at: datetime


SHAPES = {
    "customers": shape_of("customers", Customer),
    "purchases": shape_of("purchases", Purchase),
}


def at(month: int, day: int = 1) -> datetime:
    """A time in 2026."""
    return datetime(2026, month, day, 12, tzinfo=UTC)


def uuid(number: int) -> UUID:
    """One of few UUIDs."""
    return UUID(int=number)


ANN = Customer(
    "Ann", 31, 4.5, True, at(1), Decimal("10.50"), "gold", uuid(1), Address("Bern", "3000"),
    ("red", "blue"), (at(1), at(2)), (Decimal("1.5"),), {"cart": 2}, b"a",
)  # fmt: skip
BOB = Customer("Bob", 17, None, False, at(2), Decimal(-3), "silver", uuid(2), None, ("red",))
CID = Customer("Cid", 31, 2.0, True, at(3), Decimal(0), "silver", uuid(3), Address("Ulm"))
PURCHASES = (
    Purchase("Ann", "pen", Decimal("2.50"), "a red pen, running dry", at(1, 3)),
    Purchase("Ann", "ink", Decimal("7.25"), None, at(2, 4)),
    Purchase("Bob", "pen", Decimal("2.50"), "The pens ran out", at(2, 5)),
)


def compiled(
    text: str, result: Any = Customer, types: Mapping[str, Any] | None = None, **options: bool
) -> Query:
    """A query over both tables."""
    return compile_query(text, tables=SHAPES, parameters=types or {}, result=result, **options)


def refused(
    text: str, result: Any = Customer, types: Mapping[str, Any] | None = None, **options: bool
) -> list[tuple[str, str]]:
    """What is wrong with a query: what stands over the carets, and the message."""
    with pytest.raises(Problem) as caught:
        compiled(text, result, types, **options)
    lines = text.split("\n")
    return [
        (lines[one.line - 1][one.column - 1 : one.column - 1 + one.length], one.message)
        for one in caught.value.errors
    ]


class Shop:
    """Both tables in SQLite, with what some query needs."""

    def __init__(self, query: Query) -> None:
        self.connection = sqlite3.connect(":memory:")
        install(self.connection)
        self.storages = {
            name: TableStorage(shape, query.searches, words_of) for name, shape in SHAPES.items()
        }
        for storage in self.storages.values():
            for statement in storage.create:
                self.connection.execute(statement)
        for row in (ANN, BOB, CID):
            self.put("customers", row.name, row)
        for number, purchase in enumerate(PURCHASES):
            self.put("purchases", f"p{number}", purchase)
        for index in query.indexes:
            self.connection.execute(index.create)
        self.statements: list[str] = []

    def put(self, table: str, subject: str, row: Any) -> None:
        """Insert or replace a row."""
        for statement, parameters in self.storages[table].put(subject, row, 1):
            self.connection.execute(statement, parameters)

    def execute(self, statement: str, values: Mapping[str, Any]) -> Iterable[Sequence[Any]]:
        """Run a statement."""
        self.statements.append(statement)
        return self.connection.execute(statement, values)


def answer(
    text: str, result: Any = Customer, arguments: Mapping[str, Any] | None = None, **options: Any
) -> Any:
    """The answer to a query; of a stream a list. Types of parameters are those of arguments."""
    types: dict[str, Any] = {name: type(value) for name, value in (arguments or {}).items()}
    types.update(options.pop("types", {}))
    query = compiled(text, result, types, **options)
    found = Answer(query).run(Shop(query).execute, arguments or {})
    return list(found) if query.streams else found


def names(where: str, arguments: Mapping[str, Any] | None = None, **types: Any) -> str:
    """First letters of the customers that a condition is true of."""
    found = answer(
        f"SELECT * FROM customers WHERE {where} ORDER BY name",
        Customer,
        arguments,
        streams=True,
        types=types,
    )
    return "".join(one.name[0] for one in found)
