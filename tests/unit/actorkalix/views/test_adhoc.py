"""SQL of operators: tables of views and copies of states, read and never written."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from actorkalix.errors import ActorkalixError, QueryTooSlow, SqlRefused
from actorkalix.views.adhoc import Found, State, Table, answer, named, plain, tables_of
from actorkalix.viewsql.shapes import shape_of
from actorkalix.viewsql.storage import TableStorage


@dataclass(frozen=True)
class Place:
    city: str


@dataclass(frozen=True)
class Row:
    name: str
    price: Decimal
    sold: datetime
    place: Place
    tags: list[str]


SHAPE = shape_of("sales", Row)
ROWS = {
    "s1": Row("pen", Decimal("2.50"), datetime(2026, 1, 2, 3, tzinfo=UTC), Place("Bonn"), ["a"]),
    "s2": Row("cup", Decimal(11), datetime(2026, 2, 2, tzinfo=UTC), Place("Köln"), []),
}
STATES = [State("c1", 3, {"size": 2, "items": ["x"], "open": True}), State("c2", 1, {"size": 5})]


@pytest.fixture
def table(tmp_path: Path) -> Table:
    path = tmp_path / "sales.sqlite"
    db = sqlite3.connect(path)
    storage = TableStorage(SHAPE)
    for statement in storage.create:
        db.execute(statement)
    for subject, row in ROWS.items():
        for sql, parameters in storage.put(subject, row, 1):
            db.execute(sql, parameters)
    db.commit()
    db.close()
    return tables_of({"sales-by-day": (f"file:{path}?mode=ro", [SHAPE])})[0]


def ask(sql: str, *tables: Table, limit: int = 100, timeout_s: float = 5) -> Found:
    states = {"shopping-cart": (["size", "note"], STATES)}
    return answer(sql, tables, states, limit=limit, timeout_s=timeout_s)


def test_a_table_of_a_view_has_values_that_people_read(table: Table) -> None:
    found = ask(
        'SELECT subject, name, price * 2 AS double, sold, "place.city", tags FROM sales '
        "WHERE price > 10 OR sold < '2026-01-03' ORDER BY price",
        table,
    )
    assert found.columns == ["subject", "name", "double", "sold", "place.city", "tags"]
    assert found.rows == [
        ["s1", "pen", 5.0, "2026-01-02T03:00:00Z", "Bonn", '["a"]'],
        ["s2", "cup", 22.0, "2026-02-02T00:00:00Z", "Köln", "[]"],
    ]


def test_the_whole_row_is_json(table: Table) -> None:
    found = ask("SELECT \"row\" ->> '$.price' FROM sales WHERE subject = 's1'", table)
    assert found.rows == [["2.50"]]


def test_states_are_a_table_with_a_column_for_each_field() -> None:
    found = ask('SELECT entity_id, size, open, items, note FROM "entities_shopping-cart"')
    assert found.rows == [["c1", 2, 1, '["x"]', None], ["c2", 5, None, None, None]]
    found = ask("SELECT sum(size), max(sequence_number) FROM entities_shopping_cart")
    assert found.rows == [[7, 3]]
    found = ask("SELECT state ->> '$.items[0]' FROM entities_shopping_cart WHERE entity_id = 'c1'")
    assert found.rows == [["x"]]


def test_views_and_states_join(table: Table) -> None:
    found = ask("SELECT count(*) FROM sales JOIN entities_shopping_cart", table)
    assert found.rows == [[4]]


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "nonsense",
        "SELECT * FROM nothing",
        "SELECT nothing FROM sales",
        "DELETE FROM sales",
        "DELETE FROM entities_shopping_cart",
        "INSERT INTO sales VALUES(1)",
        "UPDATE sales SET name = 'x'",
        "DROP VIEW sales",
        "CREATE TABLE x(a)",
        "ATTACH 'x' AS y",
        "PRAGMA query_only = 0",
        "SELECT load_extension('x')",
        "SELECT 1; DROP TABLE sales",
        "VACUUM INTO 'x'",
        "BEGIN",
        "SELECT ?",
        "SELECT :a",
        "SELECT '\x00",
        "SELECT zeroblob(10000000000)",
        "SELECT printf('%.*c', 1000000000, 'x') FROM pragma_database_list",
    ],
)
def test_what_is_no_query_is_refused(table: Table, tmp_path: Path, sql: str) -> None:
    with pytest.raises(ActorkalixError) as caught:
        ask(sql, table)
    assert isinstance(caught.value, SqlRefused)
    assert ask("SELECT count(*) FROM sales", table).rows == [[2]]
    assert not (tmp_path / "x").exists()


def test_it_ends() -> None:
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c"
    with pytest.raises(QueryTooSlow):
        ask(endless, timeout_s=0.05)


def test_no_more_rows_than_are_wanted() -> None:
    found = ask("SELECT entity_id FROM entities_shopping_cart ORDER BY 1", limit=1)
    assert (found.rows, found.more) == ([["c1"]], True)
    assert not ask("SELECT entity_id FROM entities_shopping_cart", limit=2).more


def test_only_what_is_named_is_read() -> None:
    names = ["entities_shopping-cart", "entities_bag"]
    assert named("SELECT * FROM Entities_Shopping_Cart", names) == names[:1]
    assert named('SELECT * FROM "entities_shopping-cart", entities_bag', names) == names
    assert plain("a-b.c") == "a_b_c"


def test_tables_of_one_name_are_told_apart_by_their_views() -> None:
    names = [
        table.name
        for table in tables_of({"a": ("u", [SHAPE]), "b": ("v", [SHAPE, shape_of("x", Place)])})
    ]
    assert names == ["a_sales", "b_sales", "x"]
