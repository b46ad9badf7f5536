"""Whatever stands in a parameter is data: no text of a caller's is ever read as SQL.

Every place of a query that takes a parameter gets texts that would end, widen or break it if they
were SQL, or a pattern, or words of the full-text search. Answers are those of a plain comparison,
or one of our own errors; the tables are afterwards what they were before.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actorkalix.errors import ActorkalixError
from actorkalix.viewsql.answers import Answer
from actorkalix.viewsql.compiling import compile_query
from actorkalix.viewsql.functions import install
from actorkalix.viewsql.query import Query
from actorkalix.viewsql.shapes import shape_of
from actorkalix.viewsql.storage import TableStorage
from actorkalix.viewsql.words import words_of


class Row(msgspec.Struct, frozen=True):
    name: str
    note: str | None
    tags: list[str]
    counts: dict[str, int]


class Found(msgspec.Struct):
    rows: list[Row]
    token: str = ""
    said: str = ""


ATTACKS = (
    *(
        "' OR 1=1 --",
        "'; DROP TABLE rows; --",
        '" OR "1"="1',
        "a' UNION SELECT * FROM rows --",
    ),
    *("%", "_", "%%", "[a-z]*", "*", "?", "\\", "a\x00b", "\ud800", ":v1", "?1", "$row", "@x"),
    *(
        '"unclosed',
        "NEAR(a b)",
        "a OR b",
        "a AND",
        "words:a",
        "^a",
        "a*",
        "-a",
        "(a",
        "a)",
        "{a}",
    ),
    *("NULL", "1e309", "nan", "0x10", "", " ", "\n", "/* */", "--", ";", "\u202e", "\U0001f600"),
    *(
        "[1,2]",
        '{"a":1}',
        '"]',
        "']",
        "$.a",
        "$[0]",
        '$."a"',
        "\u0130",
        "ß",
        "\ufeff",
        "rows",
        "name",
    ),
)
TEXTS = (
    st.sampled_from(ATTACKS) | st.text(max_size=12) | st.text("'\"`;-%_*?[]()\\: aOR\0", max_size=9)
)
ROWS = tuple(
    Row(text, None if at % 3 else text, [text, "x"], {text: at, "a": 1})
    for at, text in enumerate(one for one in ATTACKS if one.isprintable() and one)
)
SHAPE = shape_of("rows", Row)
HEAD = "SELECT * AS rows FROM rows WHERE "
QUERIES: dict[str, tuple[str, Any]] = {
    "equal": (HEAD + "name = :x", str),
    "other": (HEAD + "name != :x", str),
    "less": (HEAD + "name < :x", str),
    "either": (HEAD + "name = :x OR note = :x", str),
    "in": (HEAD + "name IN (:x, 'x')", str),
    "any": (HEAD + "name = ANY(:xs)", list[str]),
    "of_tags": (HEAD + ":x = ANY(tags)", str),
    "like": (HEAD + "name LIKE :x", str),
    "ilike": (HEAD + "name ILIKE :x", str),
    "search": (HEAD + "text_search(name, :x)", str),
    "english": (HEAD + "text_search(name, :x, 'english')", str),
    "said": ("SELECT * AS rows, :x AS said FROM rows WHERE name = :x", str),
    "joined": (HEAD + "name || :x = :x", str),
    "replaced": (HEAD + "replace(name, :x, '') = ''", str),
    "paged": (
        "SELECT * AS rows, next_page_token() AS token FROM rows LIMIT 3 "
        "OFFSET page_token_offset(:x)",
        str,
    ),
}


def compiled(text: str, tp: Any) -> Query:
    names = {"xs": tp} if tp != str else {"x": tp}  # noqa: E721 - a type, not a class of objects
    return compile_query(text, tables={"rows": SHAPE}, parameters=names, result=Found)


ANSWERS = {name: Answer(compiled(*one)) for name, one in QUERIES.items()}


def opened() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    install(connection)
    searches = [one for answer in ANSWERS.values() for one in answer.query.searches]
    storage = TableStorage(SHAPE, searches, words_of)
    for statement in storage.create:
        connection.execute(statement)
    for number, row in enumerate(ROWS):
        for statement, parameters in storage.put(f"s{number:03}", row, 1):
            connection.execute(statement, parameters)
    for answer in ANSWERS.values():
        for index in answer.query.indexes:
            connection.execute(index.create)
    connection.commit()
    return connection


DATABASE = opened()
BEFORE = "\n".join(DATABASE.iterdump())


def asked(name: str, value: Any) -> list[Row] | None:
    arguments = {"x": value, "xs": value}
    try:
        found = ANSWERS[name].run(DATABASE.execute, arguments)
    except ActorkalixError:
        return None
    assert isinstance(found, Found)
    if name == "said":
        assert found.said == value
    return found.rows


@settings(max_examples=400, deadline=None)
@given(TEXTS)
@example("' OR 1=1 --")
@example('"unclosed')
def test_texts_are_compared_and_nothing_else(text: str) -> None:
    sound = text.encode("utf-8", "ignore").decode() == text

    def by(wanted: Callable[[Row], bool]) -> list[Row] | None:
        return [row for row in ROWS if wanted(row)] if sound else None

    assert asked("equal", text) == by(lambda row: row.name == text)
    assert asked("other", text) == by(lambda row: row.name != text)
    assert in_order(asked("less", text)) == in_order(by(lambda row: row.name < text))
    assert asked("either", text) == by(lambda row: text in (row.name, row.note))
    assert asked("in", text) == by(lambda row: row.name in (text, "x"))
    listed = by(lambda row: row.name in (text, "x"))
    assert asked("any", [text, "x"]) == (None if "\0" in text else listed)
    assert asked("of_tags", text) == by(lambda row: text in row.tags)
    assert asked("said", text) == by(lambda row: row.name == text)
    if "%" not in text and "_" not in text:
        assert asked("like", text) == by(lambda row: row.name == text)
    for name in ("like", "ilike", "search", "english", "joined", "replaced", "paged"):
        asked(name, text)
    assert not DATABASE.in_transaction


def test_the_tables_are_what_they_were() -> None:
    for text in ATTACKS:
        for name in QUERIES:
            asked(name, [text] if name == "any" else text)
    assert "\n".join(DATABASE.iterdump()) == BEFORE


def in_order(rows: list[Row] | None) -> list[str] | None:
    return None if rows is None else sorted(row.name for row in rows)
