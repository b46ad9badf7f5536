"""Where a query reads a whole table."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actorkalix.viewsql.explaining import scanned
from tests.unit.actorkalix.viewsql.tables import Customer, Shop, compiled


def scans(text: str, types: dict[str, Any] | None = None, result: Any = Customer) -> set[str]:
    query = compiled(text, result, types, streams=result is Customer)
    shop, found = Shop(query), set[str]()
    for statement in query.sqlite:
        names = dict.fromkeys(["limit", "offset", *(f"v{one}" for one in range(9))], 1)
        plan = shop.connection.execute(f"EXPLAIN QUERY PLAN {statement}", names)
        found.update(scanned(query, statement, [row[3] for row in plan]))
    return found


@pytest.mark.parametrize(
    "where",
    [
        "WHERE 'a' = ANY(tags)",
        "WHERE name LIKE '%a' LIMIT 3",
        "WHERE lower(name) = 'a'",
        "WHERE coalesce(age, 1) = 1 ORDER BY age LIMIT 3",
        "WHERE NOT text_search(name, 'x')",
    ],
)
def test_scans(where: str) -> None:
    assert scans(f"SELECT * FROM customers {where}") == {"customers"}


@pytest.mark.parametrize(
    "where", ["WHERE name = 'a'", "ORDER BY age LIMIT 3", "WHERE text_search(name, 'x')"]
)
def test_what_an_index_finds_is_no_scan(where: str) -> None:
    assert scans(f"SELECT * FROM customers {where}") == set()


class Count(msgspec.Struct):
    count: int


def test_tables_are_told_by_their_names() -> None:
    join = (
        "SELECT c.* FROM customers AS c JOIN purchases AS p ON lower(p.customer) = c.name "
        "WHERE p.note = 'x' OR lower(p.note) = 'y'"
    )
    assert scans(join) == {"purchases"}
    assert scans("SELECT count(*) FROM customers", result=Count) == {"customers"}


class Found(msgspec.Struct):
    customers: list[Customer]


@pytest.mark.parametrize(
    "where, scanned",
    [
        ("name = 'a' OR age = 3", False),
        ("name = 'a' OR age > 3", False),
        ("name IN ('a', 'b') OR (age > 3 AND age < 9) OR level = 'gold'", False),
        ("(name = 'a' OR age > 3) AND vip", False),
        ("name = 'a' OR level IS NULL OR name LIKE 'b%'", False),
        ("name = 'a' OR age + 1 > 3", True),
        ("name = 'a' OR lower(level) = 'gold'", True),
    ],
)
def test_every_branch_of_an_or_is_found_by_an_index(where: str, scanned: bool) -> None:
    text = f"SELECT * AS customers FROM customers WHERE {where}"
    assert scans(text, result=Found) == ({"customers"} if scanned else set())


def test_with_a_limit_a_wide_branch_may_be_looked_for_in_order() -> None:
    text = "SELECT * AS customers FROM customers WHERE name = 'a' OR age > 3 LIMIT 9"
    assert scans(text, result=Found) == {"customers"}
