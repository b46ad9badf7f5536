"""Queries that are nearly right: each is refused with a place, or runs; nothing else happens."""

from __future__ import annotations

import re
import sqlite3
from random import Random
from typing import Any

import msgspec
import pytest

from actorkalix.errors import ActorkalixError
from actorkalix.viewsql.answers import Answer
from actorkalix.viewsql.compiling import compile_query
from actorkalix.viewsql.problems import Problem
from actorkalix.viewsql.storage import TableStorage
from actorkalix.viewsql.words import words_of
from tests.property.view_sql.cases import FIRST, SEEDS
from tests.property.view_sql.rows import SHAPES, Database, Item, Note


class Counted(msgspec.Struct):
    name: str
    count: int = 0
    notes: list[Note] = []
    texts: list[str] = []


class Page(msgspec.Struct):
    items: list[Item] = []
    counted: list[Counted] = []
    total: int = 0
    token: str = ""
    more: bool = False
    asked: int = 0


TYPES: dict[str, Any] = {"n": int, "s": str | None, "l": list[str], "page": str}
ARGUMENTS: dict[str, Any] = {"n": 2, "s": "a%", "l": ["a", "b"], "page": ""}
QUERIES: tuple[tuple[str, Any], ...] = (
    ("SELECT * FROM items WHERE name = :s AND ( number > 1 OR bonus IS NULL ) LIMIT 3", Item),
    ("SELECT * FROM items WHERE NOT at < '2026-01-05T00:00:00Z' ORDER BY price DESC , name", Item),
    (
        "SELECT * AS items , total_count() AS total , next_page_token() AS token , :n AS asked "
        "FROM items WHERE home . city LIKE 'B%' LIMIT 2 OFFSET page_token_offset( :page )",
        Page,
    ),
    (
        "SELECT * AS items , has_more() AS more FROM items WHERE text_search( note , :s ) LIMIT 2",
        Page,
    ),
    (
        "SELECT a . name , count( * ) AS count , b . * AS notes , collect( distinct b . text ) AS "
        "texts FROM items AS a LEFT JOIN notes AS b ON a . name = b . item GROUP BY a . name "
        "HAVING count( * ) > 1 ORDER BY count",
        Counted,
    ),
    (
        "SELECT ( name , sum( number ) AS count ) AS counted , total_count() AS total FROM items "
        "WHERE 'a' = ANY( tags ) OR name = ANY( :l ) GROUP BY name",
        Page,
    ),
    (
        "SELECT s . x AS name , s . c AS count FROM ( SELECT lower( name ) AS x , count( * ) AS c "
        "FROM items GROUP BY lower( name ) ORDER BY c LIMIT 3 ) AS s WHERE s . c >= 1",
        Counted,
    ),
)
_KEYWORDS = "SELECT FROM WHERE AND OR NOT NULL IN LIKE AS GROUP BY ORDER LIMIT OFFSET JOIN ON ANY"
_NAMES = "name number tags home items float price at done bonus note weight :n :s :l 1 1.5 'a' `a`"
_SIGNS = "( ) , . * = != < + - / % || :: count( sum( collect( lower( DISTINCT TRUE HAVING FULL IS"
WORDS = f"{_KEYWORDS} {_NAMES} {_SIGNS}".split()
ALIKE = (
    ["name", "number", "home", "price", "at", "done", "bonus", "note", "weight", "tags", "rate"],
    [":n", ":s", ":l", "1", "1.5", "'a'", "NULL", "TRUE", "'a%'", "'2026-01-05T00:00:00Z'"],
    ["=", "!=", "<", ">", "<=", ">=", "+", "-", "*", "/", "%", "||"],
    ["AND", "OR"],
    ["LEFT", "RIGHT", "FULL", "INNER"],
)
"""Words that may stand where another of them stands, though they may mean nothing there."""


def spoiled(random: Random, text: str) -> str:
    words = text.split(" ")
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        place = random.randrange(len(words))
        alike = next((one for one in ALIKE if words[place] in one), None)
        if alike is not None:
            words[place] = random.choice(alike)
            continue
        if random.random() < 0.5:
            continue
        match random.randrange(4):
            case 0:
                del words[place]
            case 1:
                words.insert(place, random.choice(WORDS))
            case 2:
                words[place] = random.choice(WORDS)
            case _:
                other = random.randrange(len(words))
                words[place], words[other] = words[other], words[place]
    return " ".join(words)


def test_nearly_right_queries_are_refused_or_run() -> None:
    refused = ran = 0
    for seed in range(FIRST, FIRST + SEEDS):
        random = Random(seed)
        database = Database(random, 8, 5)
        for _ in range(40):
            text, result = random.choice(QUERIES)
            text = spoiled(random, text)
            streams = result is not Page and random.random() < 0.7
            try:
                query = compile_query(
                    text, tables=SHAPES, parameters=TYPES, result=result, streams=streams
                )
            except Problem as problem:
                check_problem(text, problem)
                refused += 1
                continue
            prepare(database, query)
            try:
                found = Answer(query).run(database.execute, ARGUMENTS)
                if streams:
                    list(found)
            except ActorkalixError:
                refused += 1
            except sqlite3.Error as error:
                pytest.fail(f"seed {seed}: {text}\n{error}\n{query.sqlite}", pytrace=False)
            ran += 1
    assert refused > 10 * SEEDS
    assert ran > 2 * SEEDS


def check_problem(text: str, problem: Problem) -> None:
    lines = text.split("\n")
    assert problem.errors
    assert not re.search(r"Traceback|sqlglot|<class", str(problem))
    for error in problem.errors:
        assert error.message
        assert 1 <= error.line <= len(lines)
        assert 1 <= error.column <= len(lines[error.line - 1]) + 1
        assert error.length >= 1


def prepare(database: Database, query: Any) -> None:
    """Make what the query needs."""
    for name, shape in SHAPES.items():
        storage = TableStorage(shape, query.searches, words_of)
        for statement in storage.create:
            database.connection.execute(statement)
        database.storages[name] = storage
    for index in query.indexes:
        database.connection.execute(index.create)


def test_any_bytes_at_all() -> None:
    letters = "SELECT*FROMwhere'`\"():,.;=<>!%_-/{}#\\ \n\t\0é\u202e1e9"
    for seed in range(FIRST, FIRST + SEEDS * 20):
        random = Random(seed)
        text = "".join(random.choice(letters) for _ in range(random.randrange(40)))
        text = random.choice(("", "SELECT * FROM items WHERE ", "SELECT ")) + text
        problem = problem_of(text)
        if problem is not None:
            check_problem(text, problem)


def problem_of(text: str) -> Problem | None:
    try:
        compile_query(text, tables=SHAPES, parameters=TYPES, result=Item)
    except Problem as problem:
        return problem
    return None
