"""Two tables with values of every kind, few enough that they meet, and a database with them."""

from __future__ import annotations

import enum
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import msgspec

from actorkalix.viewsql.answers import Answer
from actorkalix.viewsql.compiling import compile_query
from actorkalix.viewsql.functions import install
from actorkalix.viewsql.query import Query
from actorkalix.viewsql.shapes import shape_of
from actorkalix.viewsql.storage import TableStorage
from actorkalix.viewsql.words import words_of


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"
    BLUE = "blue"


@dataclass(frozen=True)
class Address:
    city: str
    zip: str | None
    level: int


@dataclass(frozen=True)
class Item:
    name: str
    number: int
    bonus: int | None
    weight: float
    rate: float | None
    note: str | None
    done: bool
    seen: bool | None
    at: datetime
    until: datetime | None
    price: Decimal
    fee: Decimal | None
    colour: Colour
    home: Address | None
    tags: list[str] = field(default_factory=list[str])
    codes: list[int] = field(default_factory=list[int])


@dataclass(frozen=True)
class Note:
    item: str
    rank: int | None
    text: str | None
    score: float


TEXTS = ("", "a", "ab", "abc", "b", "ba", "B", "é", "x_y", "a%b", "*", "z")
CITIES = ("Bern", "Basel", "bern", "Ulm")
TIMES = tuple(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=11 * n, hours=n) for n in range(6))
DECIMALS = tuple(Decimal(one) for one in ("0", "-1.5", "0.1", "2.50", "10", "1000000.001"))
FLOATS = (0.0, -1.5, 0.25, 2.5, 3.0, 10.0)
NUMBERS = (-3, 0, 1, 2, 3, 10)
SHAPES = {"items": shape_of("items", Item), "notes": shape_of("notes", Note)}


def maybe(random: Random, values: Sequence[Any]) -> Any:
    """One of the values, or None now and then."""
    return None if random.random() < 0.25 else random.choice(values)


def some_item(random: Random) -> Item:
    """A row of the first table."""
    address = Address(random.choice(CITIES), maybe(random, TEXTS), random.choice(NUMBERS))
    return Item(
        name=random.choice(TEXTS),
        number=random.choice(NUMBERS),
        bonus=maybe(random, NUMBERS),
        weight=random.choice(FLOATS),
        rate=maybe(random, FLOATS),
        note=maybe(random, TEXTS),
        done=random.random() < 0.5,
        seen=maybe(random, (True, False)),
        at=random.choice(TIMES),
        until=maybe(random, TIMES),
        price=random.choice(DECIMALS),
        fee=maybe(random, DECIMALS),
        colour=random.choice(tuple(Colour)),
        home=maybe(random, (address,)),
        tags=random.sample(TEXTS, random.randrange(4)),
        codes=random.sample(NUMBERS, random.randrange(3)),
    )


def some_note(random: Random) -> Note:
    """A row of the second table."""
    return Note(
        item=random.choice(TEXTS),
        rank=maybe(random, NUMBERS),
        text=maybe(random, TEXTS),
        score=random.choice(FLOATS),
    )


class Database:
    """Both tables in SQLite as a view keeps them, and as dicts for whoever evaluates naively."""

    def __init__(self, random: Random, items: int, notes: int) -> None:
        self.connection = sqlite3.connect(":memory:")
        install(self.connection)
        self.storages: dict[str, TableStorage] = {}
        self.rows: dict[str, dict[str, dict[str, Any]]] = {}
        self.objects: dict[str, dict[str, Any]] = {"items": {}, "notes": {}}
        for name, shape in SHAPES.items():
            storage = TableStorage(shape, (), words_of)
            self.storages[name] = storage
            self.rows[name] = {}
            for statement in storage.create:
                self.connection.execute(statement)
        for number in range(items):
            self.put("items", f"i{number * 7 % 100:03}", some_item(random))
        for number in range(notes):
            self.put("notes", f"n{number * 7 % 100:03}", some_note(random))

    def put(self, table: str, subject: str, row: Any) -> None:
        """Insert or replace a row."""
        for statement, parameters in self.storages[table].put(subject, row, 1):
            self.connection.execute(statement, parameters)
        self.rows[table][subject] = {**plain(row), "$subject": subject}
        self.objects[table][subject] = row

    def remove(self, table: str, subject: str) -> None:
        """Delete a row."""
        for statement, parameters in self.storages[table].remove(subject):
            self.connection.execute(statement, parameters)
        del self.rows[table][subject], self.objects[table][subject]

    def answer(
        self, text: str, types: Mapping[str, Any], result: Any, *, streams: bool = False
    ) -> Answer:
        """A compiled query, with its indexes made."""
        query: Query = compile_query(
            text, tables=SHAPES, parameters=types, result=result, streams=streams
        )
        for index in query.indexes:
            self.connection.execute(index.create)
        return Answer(query)

    def execute(self, statement: str, values: Mapping[str, Any]) -> Iterable[tuple[Any, ...]]:
        """Run a statement."""
        return self.connection.execute(statement, values)


def plain(row: Any) -> dict[str, Any]:
    """A row as a dict, objects in it as dicts, enums as texts."""
    found: dict[str, Any] = msgspec.to_builtins(row, builtin_types=(datetime, Decimal))
    return found
