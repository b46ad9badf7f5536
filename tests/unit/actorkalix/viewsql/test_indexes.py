"""Indexes that are derived from queries, and that SQLite uses them."""

from __future__ import annotations

import msgspec
import pytest

from actorkalix.viewsql.explaining import scanned
from actorkalix.viewsql.indexes import Index, needed
from tests.unit.actorkalix.viewsql.tables import Customer, Shop, compiled


class Found(msgspec.Struct):
    customers: list[Customer]
    page: str = ""


TYPES = {"x": str, "n": int, "l": list[str], "p": str}


@pytest.mark.parametrize(
    "where,shown",
    [
        ("WHERE name = :x", "customers(name)"),
        ("WHERE name = 'a' AND age = :n", "customers(age, name)"),
        ("WHERE name = 'a' AND age > :n", "customers(name, age)"),
        ("WHERE name = 'a' ORDER BY age DESC", "customers(name, age)"),
        ("WHERE name = 'a' ORDER BY age DESC, since", "customers(name, age, since DESC)"),
        ("WHERE age > 1 ORDER BY age", "customers(age)"),
        ("WHERE name IN ('a', :x) OR age = 1", "customers(age) customers(name)"),
        ("WHERE (name = 'a' OR age = 1) AND vip", "customers(age, vip) customers(name, vip)"),
        ("WHERE name = ANY(:l)", "customers(name)"),
        ("WHERE name LIKE 'a%'", "customers(name)"),
        ("WHERE name LIKE '%a' OR name ILIKE 'a%'", ""),
        ("WHERE address.city = 'a'", "customers(address.city)"),
        ("WHERE rating IS NULL", "customers(rating)"),
        ("WHERE name != 'a' AND NOT age = 1 AND lower(name) = 'a'", ""),
        ("WHERE 'a' = ANY(tags) AND address IS NULL AND counts.a = 1", ""),
        ("ORDER BY since", "customers(since)"),
        ("AS a JOIN purchases AS b ON a.name = b.customer AND b.note = 'x'",
         "customers(name) purchases(customer, note)"),
        ("AS a JOIN (SELECT customer FROM purchases WHERE note = 'x') AS b ON a.name = b.customer",
         "customers(name) purchases(note)"),
    ],
)  # fmt: skip
def test_what_a_query_needs(where: str, shown: str) -> None:
    table = "a.*" if " AS a" in f" {where}" else "*"
    query = compiled(f"SELECT {table} FROM customers {where}", types=TYPES, streams=True)
    assert " ".join(one.shown for one in query.indexes) == shown


@pytest.mark.parametrize(
    "where,scans",
    [
        ("WHERE name = :x", False),
        ("WHERE name LIKE :x", False),
        ("WHERE name = 'a' OR age = :n", False),
        ("WHERE name = ANY(:l)", False),
        ("WHERE text_search(name, :x)", False),
        ("ORDER BY rating DESC", False),
        ("ORDER BY rating", False),
        ("WHERE 'a' = ANY(tags)", True),
        ("WHERE name LIKE '%a'", True),
        ("WHERE lower(name) = :x", True),
    ],
)
def test_sqlite_uses_them(where: str, scans: bool) -> None:
    query = compiled(f"SELECT * FROM customers {where} LIMIT 5", types=TYPES, streams=True)
    (statement,) = query.sqlite
    names = dict.fromkeys(["limit", "offset", *(f"v{one}" for one in range(9))], 1)
    plan = Shop(query).connection.execute(f"EXPLAIN QUERY PLAN {statement}", names)
    found = scanned(query, statement, [row[3] for row in plan])
    assert found == (("customers",) if scans else ())


@pytest.mark.parametrize("order", ["age", "age DESC", "rating DESC", "rating", "vip, age DESC"])
def test_pages_begin_at_their_place_in_an_index(order: str) -> None:
    query = compiled(
        f"SELECT * AS customers, next_page_token() AS page FROM customers WHERE name = 'x' "
        f"ORDER BY {order} LIMIT 3 OFFSET page_token_offset(:p)",
        Found,
        {"p": str},
    )
    shop = Shop(query)
    values = {key.sql: 1 for key in query.rows.keys}
    for statement in query.rows.sql(list(values.values())):
        plan = shop.connection.execute(
            f"EXPLAIN QUERY PLAN {statement}",
            {"limit": 1, "v1": "x"} | {f"k{place}": 1 for place in range(len(values))},
        )
        details = [row[3] for row in plan]
        assert len(details) == 1, details
        assert "AND" in details[0] or "=? " in details[0], details


def test_an_index_that_begins_another_is_not_needed() -> None:
    short, long = Index("t", (("a", False),)), Index("t", (("a", False), ("b", True)))
    other = Index("u", (("a", False),))
    assert needed([short, long, other, short]) == (long, other)


def test_names_and_statements() -> None:
    index = Index('t"', (("a", False), ("b.c", True)))
    assert index.create.endswith('ON "t"""("a", "b.c" DESC, "$subject" DESC)')
    assert index.name != Index('t"', (("a", True), ("b.c", True))).name
    assert index.shown == 't"(a, b.c DESC)'
