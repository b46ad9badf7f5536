"""The views' SQL against DuckDB, where both mean the same: another engine's word on the grammar.

DuckDB has its nulls, joins, lists, patterns and aggregates from PostgreSQL as the query language
has. Left out is what differs by design: decimals, which have a fixed scale there, and divisions.
"""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Any

import duckdb

from tests.property.view_sql.cases import (
    QUERIES,
    SEEDS,
    Case,
    databases,
    in_any_order,
    struct_of,
    tuples,
)
from tests.property.view_sql.groups import aggregate
from tests.property.view_sql.joins import joined
from tests.property.view_sql.rows import Database
from tests.property.view_sql.terms import COLUMNS, TYPES, Terms, Writing

_DUCK = {
    "text": "VARCHAR",
    "enum": "VARCHAR",
    "integer": "BIGINT",
    "float": "DOUBLE",
    "bool": "BOOLEAN",
    "time": "TIMESTAMPTZ",
}
_LISTS = {"items": {"tags": "VARCHAR[]", "codes": "BIGINT[]"}, "notes": {}}
_TABLES = {
    table: {name: kind for name, kind in columns.items() if kind != "decimal"}
    for table, columns in COLUMNS.items()
}


def duck_of(database: Database) -> duckdb.DuckDBPyConnection:
    """The same rows in DuckDB."""
    duck = duckdb.connect()
    duck.execute("SET TimeZone = 'UTC'")
    for table, columns in _TABLES.items():
        types = {name: _DUCK[kind] for name, kind in columns.items()} | _LISTS[table]
        listed = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
        duck.execute(f"CREATE TABLE {table} ({listed})")
        places = ", ".join("?" * len(types))
        for row in database.rows[table].values():
            values = [_value(row, name) for name in types]
            duck.execute(f"INSERT INTO {table} VALUES ({places})", values)
    return duck


def _value(row: dict[str, Any], name: str) -> Any:
    found: Any = row
    for part in name.split("."):
        found = None if found is None else found[part]
    return found


def _plain(rows: list[tuple[Any, ...]]) -> list[str]:
    return sorted(in_any_order(tuple(_same(one) for one in row)) for row in rows)


def _same(value: Any) -> Any:
    return value.timestamp() if isinstance(value, datetime) else value


def _source(random: Random, database: Database) -> Any:
    return joined(random, database, 2, _TABLES)


def test_duckdb_finds_the_same_rows() -> None:
    matched = 0
    for seed, random, database in databases():
        duck = duck_of(database)
        for _ in range(QUERIES // 2):
            source = _source(random, database)
            terms, writing = Terms(random, source.tables), Writing(random)
            theirs = Writing(random, duck=True)
            items, where = [terms.column() for _ in range(3)], terms.condition(3)
            names = [f"c{place}" for place in range(3)]

            def written(
                w: Writing, items: Any = items, where: Any = where, source: Any = source
            ) -> str:
                selected = ", ".join(f"{one.sql(w)} AS c{at}" for at, one in enumerate(items))
                return f"SELECT {selected} FROM {source.sql(w)} WHERE {where.sql(w)}"

            result = struct_of(dict(zip(names, (TYPES[one.kind] for one in items), strict=True)))
            text = written(writing)
            answer = database.answer(text, writing.types, result, streams=True)
            found = tuples(answer.run(database.execute, writing.arguments))
            wanted = duck.execute(written(theirs)).fetchall()
            Case(seed, text, writing.arguments).check(_plain(found), _plain(wanted))
            matched += len(found)
    assert matched > SEEDS * QUERIES


def test_duckdb_makes_the_same_groups() -> None:
    matched = 0
    for seed, random, database in databases():
        duck = duck_of(database)
        for _ in range(QUERIES // 2):
            source = _source(random, database)
            terms, writing = Terms(random, source.tables), Writing(random)
            theirs = Writing(random, duck=True)
            by, made = random.sample(terms.columns, 2), aggregate(random, terms)
            names = ["c0", "c1", "c2"]

            def written(w: Writing, by: Any = by, made: Any = made, source: Any = source) -> str:
                groups = ", ".join(one.sql(w) for one in by)
                selected = ", ".join(f"{one.sql(w)} AS c{at}" for at, one in enumerate((*by, made)))
                return f"SELECT {selected} FROM {source.sql(w)} GROUP BY {groups}"

            kinds = [*(TYPES[one.kind] for one in by), TYPES[made.kind]]
            text = written(writing)
            result = struct_of(dict(zip(names, kinds, strict=True)))
            answer = database.answer(text, writing.types, result, streams=True)
            found = tuples(answer.run(database.execute, writing.arguments))
            wanted = duck.execute(written(theirs)).fetchall()
            Case(seed, text, writing.arguments).check(_plain(found), _plain(wanted))
            matched += len(found)
    assert matched > 2 * SEEDS * QUERIES
