"""What the tests of the views' SQL share: seeds, and how a difference is told."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec
import pytest

from tests.property.view_sql.ordering import By
from tests.property.view_sql.rows import Database
from tests.property.view_sql.terms import Env, Terms, Writing, exact

SEEDS = int(os.environ.get("VIEW_SQL_SEEDS", "25"))
FIRST = int(os.environ.get("VIEW_SQL_FIRST", "0"))
QUERIES = 20  # of each seed and test


@dataclass
class Case:
    """One query and what it should find, for the message of a failure."""

    seed: int
    text: str
    arguments: dict[str, Any]

    def check(self, found: Any, wanted: Any) -> None:
        if found != wanted:
            said = f"seed {self.seed}: {self.text}\n{self.arguments}"
            pytest.fail(f"{said}\nfound  {found}\nwanted {wanted}", pytrace=False)


def databases() -> Iterator[tuple[int, Random, Database]]:
    for seed in range(FIRST, FIRST + SEEDS):
        random = Random(seed)
        yield seed, random, Database(random, random.randrange(1, 30), random.randrange(1, 12))


def order_of(random: Random, terms: Terms, most: int = 2) -> By:
    columns = random.sample(terms.columns, random.randrange(most + 1))
    return [(one, random.random() < 0.5) for one in columns]


def written_order(by: By, writing: Writing, random: Random) -> str:
    if not by:
        return ""
    parts = [
        term.sql(writing) + (" DESC" if down else random.choice(("", " asc"))) for term, down in by
    ]
    return " ORDER BY " + ", ".join(parts)


def alone(database: Database, table: str, alias: str) -> list[Env]:
    return [{alias: row} for row in database.rows[table].values()]


def kept(environments: Iterable[Env], where: Any) -> list[Env]:
    return [env for env in environments if where.eval(env) is True]


def struct_of(columns: dict[str, Any]) -> Any:
    """A result with these fields, each of a kind that may be None."""
    return msgspec.defstruct("Found", [(name, tp | None) for name, tp in columns.items()])


def in_any_order(row: tuple[Any, ...]) -> str:
    return repr([exact(one) for one in row])


def tuples(found: Iterable[Any]) -> list[tuple[Any, ...]]:
    return [msgspec.structs.astuple(one) for one in found]
