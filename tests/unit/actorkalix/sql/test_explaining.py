"""Queries in words: statements, indexes, plan, warnings."""

from __future__ import annotations

from actorkalix.sql.explaining import explain, scans
from tests.unit.actorkalix.sql.tables import Shop, compiled
from tests.unit.actorkalix.sql.test_indexes import plan_of


def test_without_a_plan_only_what_is_known() -> None:
    query = compiled(" SELECT * FROM customers WHERE name = :x ", types={"x": str})
    assert explain(query).splitlines() == [
        "SELECT * FROM customers WHERE name = :x",
        "SQLite:",
        '  SELECT "t1"."$row" FROM "customers" AS "t1" WHERE ("t1"."name" = :v1) '
        'ORDER BY "t1"."$subject" LIMIT :limit',
        "indexes:",
        "  customers(name)",
    ]


def test_a_plan_and_a_warning() -> None:
    query = compiled(
        "SELECT c.* FROM customers AS c JOIN purchases AS p ON lower(p.customer) = c.name "
        "WHERE text_search(p.note, 'x', 'dutch')"
    )
    shop = Shop(query)
    lines = explain(query, plan_of(shop)).splitlines()
    assert "  purchases(note), dutch" in lines
    assert "plan:" in lines
    query = compiled("SELECT * FROM customers WHERE name LIKE '%x%'")
    found = explain(query, plan_of(Shop(query)))
    assert 'warning: all of "customers" is read' in found
    assert scans(query, plan_of(Shop(query))) == ("customers",)
