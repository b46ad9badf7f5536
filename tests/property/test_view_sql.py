"""The views' SQL against a naive evaluator: random rows, random queries, equal answers.

A seed is a database and some queries; `VIEW_SQL_SEEDS=5000 pytest ...` tries more of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec
import pytest

from tests.property.view_sql.ordering import By, ordered
from tests.property.view_sql.rows import Database, Item
from tests.property.view_sql.joins import joined
from tests.property.view_sql.terms import COLUMNS, TYPES, Env, Terms, Writing, exact

SEEDS = int(os.environ.get("VIEW_SQL_SEEDS", "40"))
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
    for seed in range(SEEDS):
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


def test_rows_of_one_table_are_filtered_ordered_and_limited() -> None:
    matched = 0
    for seed, random, database in databases():
        for _ in range(QUERIES):
            terms = Terms(random, {"items": COLUMNS["items"]})
            where, by, writing = terms.condition(3), order_of(random, terms), Writing(random)
            text = f"SELECT * FROM items WHERE {where.sql(writing)}"
            text += written_order(by, writing, random)
            wanted = kept(alone(database, "items", "items"), where)
            wanted = ordered(wanted, by, ["items"])
            if by and random.random() < 0.5:
                skip, take = random.randrange(4), random.randrange(8)
                text += random.choice(
                    (f" LIMIT {take} OFFSET {skip}", f" OFFSET {skip} LIMIT {take}")
                )
                wanted = wanted[skip : skip + take]
            answer = database.answer(text, writing.types, Item, streams=True)
            found = list(answer.run(database.execute, writing.arguments))
            rows = [database.objects["items"][one["items"]["$subject"]] for one in wanted]
            if not by:
                found.sort(key=repr)
                rows.sort(key=repr)
            Case(seed, text, writing.arguments).check(found, rows)
            matched += len(rows)
    assert matched > SEEDS * QUERIES, "the conditions hardly ever match"


def struct_of(columns: dict[str, Any]) -> Any:
    """A result with these fields, each of a kind that may be None."""
    return msgspec.defstruct("Found", [(name, tp | None) for name, tp in columns.items()])


def in_any_order(row: tuple[Any, ...]) -> str:
    return repr([exact(one) for one in row])


def tuples(found: Iterable[Any]) -> list[tuple[Any, ...]]:
    return [msgspec.structs.astuple(one) for one in found]


def test_joins_of_all_kinds() -> None:
    matched = missing = 0
    for seed, random, database in databases():
        for _ in range(QUERIES):
            source = joined(random, database, 3)
            terms, writing = Terms(random, source.tables), Writing(random)
            by = order_of(random, terms)
            items = [terms.column() for _ in range(3)]
            names = [f"c{place}" for place in range(len(items))]
            selected = ", ".join(
                f"{one.sql(writing)} AS {name}" for one, name in zip(items, names, strict=True)
            )
            text = f"SELECT {selected} FROM {source.sql(writing)}"
            environments = source.environments
            if random.random() < 0.6:
                where = terms.condition(2)
                text += f" WHERE {where.sql(writing)}"
                environments = kept(environments, where)
            text += written_order(by, writing, random)
            result = struct_of(dict(zip(names, (TYPES[one.kind] for one in items), strict=True)))
            answer = database.answer(text, writing.types, result, streams=True)
            found = tuples(answer.run(database.execute, writing.arguments))
            wanted = [
                tuple(one.eval(env) for one in items)
                for env in ordered(environments, by, list(source.tables))
            ]
            if not by:
                found.sort(key=in_any_order)
                wanted.sort(key=in_any_order)
            Case(seed, text, writing.arguments).check(found, wanted)
            matched += len(found)
            missing += sum(None in env.values() for env in environments)
    assert matched > 10 * SEEDS * QUERIES, "the joins hardly ever find something"
    assert missing > SEEDS * QUERIES, "outer joins hardly ever miss a side"
