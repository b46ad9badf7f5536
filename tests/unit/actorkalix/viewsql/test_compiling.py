"""What queries mean and what is wrong with them: names, kinds, results (VW-30 to VW-66)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from tests.unit.actorkalix.viewsql.tables import (
    ANN,
    CID,
    Address,
    Customer,
    Purchase,
    answer,
    at,
    compiled,
    names,
    refused,
    uuid,
)


class Total(msgspec.Struct):
    count: int


class Customers(msgspec.Struct):
    customers: list[Customer]


@pytest.mark.parametrize(
    "where,found",
    [
        ("name = 'Ann'", "A"),
        ("name = 'ann'", ""),
        ("age >= 31 AND vip", "AC"),
        ("NOT vip", "B"),
        ("rating != 4.5", "C"),
        ("rating = NULL OR rating != NULL", ""),
        ("rating IS NULL", "B"),
        ("address IS NULL", "B"),
        ("address.zip IS NULL", "BC"),
        ("address.city IN ('Bern', 'Ulm')", "AC"),
        ("NOT address.city = 'Bern'", "C"),
        ("since > '2026-01-15T00:00:00Z'", "BC"),
        ("since = '2026-01-01T13:00:00+01:00'", "A"),
        ("credit > 0", "A"),
        ("credit = 10.5 OR credit = -3::numeric", "AB"),
        ("credit < age", "ABC"),
        ("credit + 0.25 = 10.75", "A"),
        ("level = 'gold'", "A"),
        ("key = '00000000-0000-0000-0000-000000000001'", "A"),
        ("key = '00000000000000000000000000000002'", "B"),
        ("'blue' = ANY(tags)", "A"),
        ("NOT 'blue' = ANY(tags)", "BC"),
        ("'2026-02-01T12:00:00Z' = ANY(visits)", "A"),
        ("1.50 = ANY(prices)", "A"),
        ("counts.cart > 1", "A"),
        ("counts.cart IS NULL", "BC"),
        ("name LIKE 'A%' OR name LIKE '%d'", "AC"),
        ("name LIKE '_o_'", "B"),
        ("name ILIKE 'ann'", "A"),
        ("name LIKE '%*%'", ""),
        ("lower(name) || upper(name) = 'annANN'", "A"),
        ("substring(name, 2, 1) = 'o' AND length(name) = 3", "B"),
        ("substring(name, 0, 2) = 'A'", "A"),
        ("replace(trim('  Ann '), 'n', 'm') = 'Amm'", "ABC"),
        ("concat(address.zip, name) = 'Bob'", "B"),
        ("coalesce(rating, 1) = 1", "B"),
        ("abs(credit) = 3 AND age % 2 = 1 AND age / 2 = 8", "B"),
        ("age / 0 IS NULL", "ABC"),
        ("round(rating, 0) = 5.0", "A"),
        ("age BETWEEN 17 AND 30", "B"),
        ("date_trunc('month', since) = '2026-02-01T00:00:00Z'", "B"),
        ("age::float / 2 = 15.5 AND credit::text = '10.5' AND age::text = '31'", "A"),
    ],
)
def test_conditions(where: str, found: str) -> None:
    assert names(where) == found


def test_parameters_of_all_kinds_on_either_side() -> None:
    assert names(":x = name", {"x": "Ann"}, x=str) == "A"
    assert names("since >= :x", {"x": at(2)}, x=datetime) == "BC"
    assert names("key = :x", {"x": uuid(3)}, x=UUID) == "C"
    assert names("credit = :x", {"x": Decimal("10.5000")}, x=Decimal) == "A"
    assert names("credit = :x", {"x": 0}, x=int) == "C"
    assert names("age > :x", {"x": Decimal("30.5")}, x=Decimal) == "AC"
    assert names("name = ANY(:x)", {"x": ["Bob", "Cid"]}, x=list[str]) == "BC"
    assert names("name = ANY(:x)", {"x": []}, x=list[str]) == ""
    assert names("credit = ANY(:x)", {"x": [0, -3]}, x=list[int]) == "BC"
    assert names(":x = ANY(tags)", {"x": "red"}, x=str) == "AB"
    assert names("name LIKE :x", {"x": "%o%"}, x=str) == "B"
    assert names("name ILIKE :x", {"x": "a%"}, x=str) == "A"
    assert names("rating = :x", {"x": None}, x=float | None) == ""
    assert names(":x IS NULL OR name = :x", {"x": None}, x=str | None) == "ABC"


@pytest.mark.parametrize(
    "where,token,said",
    [
        ("quantty = 1", "quantty", "there is no column quantty"),
        ("nam = 'x'", "nam", "did you mean name?"),
        ("address.ctiy = 'x'", "ctiy", "address has no field ctiy; did you mean city?"),
        ("name.x = 'x'", "x", "name is text, nothing can be asked for inside"),
        ("tags.x = 'x'", "x", "ask for a value in it with = ANY(tags)"),
        ("customers = 1", "customers", "customers is a table; write customers.*"),
        ("age = 'x'", "'x'", "the other side a number; take the quotes away"),
        ("name = 5", "5", "the other side is text; write it in quotes"),
        ("vip = 1", "1", "write TRUE or FALSE"),
        ("since > 'yesterday'", "'yesterday'", "is no time; write it as"),
        ("since > '2026-01-01'", "'2026-01-01'", "has no zone"),
        ("since < '1969-12-31T23:59:59Z'", "'1969-12-31T23:59:59Z'", "from 1970-01-01"),
        ("level = 'golden'", "'golden'", "none of its values; did you mean gold?"),
        ("key = 'x'", "'x'", "is no UUID"),
        ("age = 99999999999999999999", "99999999999999999999", "64 bits"),
        ("name = age", "age", "text and integer do not compare"),
        ("tags = 'red'", "'red'", "list of text"),
        ("address = 'x'", "'x'", "object"),
        ("counts = 'x'", "'x'", "map"),
        ("name = ANY(age)", "age", "ANY is of a list"),
        ("name = ANY(:n)", ":n", "declare the parameter n as list[...]"),
        ("age = :s", ":s", "declare the parameter s as int"),
        ("since = :s", ":s", "declare the parameter s as datetime"),
        ("age = :q", ":q", "no parameter q; there is n, s"),
        ("name LIKE age", "age", "a pattern is a text in quotes or a parameter"),
        ("name LIKE :n", ":n", "declare the parameter n as str"),
        ("age LIKE 'x'", "age", "a text is wanted, this is integer"),
        ("age", "age", "a condition is wanted, this is integer"),
        ("count(*) > 1", "count(*)", "count is of many rows"),
        ("total_count() > 1", "total_count()", "stands in SELECT"),
        ("lwer(name) = 'x'", "lwer(name)", "did you mean lower?"),
        ("lower(name, name) = 'x'", "lower(name, name)", "lower takes 1, there are 2"),
        ("age % 1.5 = 1", "%", "% is for whole numbers"),
        ("name + 1 = 1", "name", "a number is wanted, this is text"),
        ("age::flat = 1", "flat", "there is no type flat; did you mean float?"),
        ("vip::float = 1", "vip::float", "bool cannot be made float"),
        ("'x'::int = 1", "'x'", "'x' is no number"),
        ("date_trunc('yer', since) = since", "'yer'", "a unit is wanted"),
        ("coalesce(name, 1) = 'x'", "1", "write it in quotes"),
        ("text_search(age, 'x')", "age", "text_search looks into a column of texts"),
        ("text_search(name, 'x', 'englsh')", "'englsh'", "did you mean english?"),
        ("text_search(name, name)", "name", "text_search looks for a text"),
        ("*", "*", "* stands alone"),
        ("collect(name) = 'x'", "collect(name)", "collect stands in SELECT alone"),
    ],
)
def test_wrong_conditions(where: str, token: str, said: str) -> None:
    found = refused(f"SELECT * FROM customers WHERE {where}", types={"n": int, "s": str})
    assert found[0][0] == token
    assert said in found[0][1]


def test_every_problem_is_told_at_once() -> None:
    text = "SELECT * FROM customers WHERE nam = 1 AND age = 'x'\nORDER BY tags, agee LIMIT :n"
    found = refused(text, types={"n": str})
    assert [where for where, _ in found] == ["nam", "'x'", "tags", "agee"]


@pytest.mark.parametrize(
    "text,said",
    [
        ("SELECT * FROM customer", "there is no table customer; did you mean customers?"),
        (
            "SELECT * FROM customers AS c JOIN purchases AS c ON c.age = 1",
            "two tables are called c",
        ),
        (
            "SELECT * FROM customers AS c JOIN purchases AS p ON at = since AND c.x = 1",
            "no column x",
        ),
        ("SELECT x.* FROM customers AS c", "there is no table x in FROM; there is c"),
        ("SELECT * FROM customers ORDER BY 1", "ordered by a column, not by a literal"),
        ("SELECT * FROM customers LIMIT -1", "LIMIT takes a number from 0"),
        ("SELECT * FROM customers OFFSET page_token_offset('x')", "takes a parameter"),
        ("SELECT name FROM customers", "nothing selects the result's age, rating, vip"),
        ("SELECT *, age AS agee FROM customers", "the result has no field agee; did you mean age?"),
        ("SELECT *, age + 1 FROM customers", "what is selected has a name"),
        ("SELECT *, name AS age FROM customers", "age is text, the result's field age is int"),
        ("SELECT *, vip AS vip, done AS vip FROM customers", "two items are called vip"),
        ("SELECT *, total_count() AS age FROM customers", "age is said beside a list of rows"),
        ("SELECT * FROM (SELECT age, age FROM customers) AS c", "two columns are called age"),
        ("SELECT * FROM (SELECT collect(age) AS a FROM customers) AS c", "the outermost query"),
        ("SELECT * FROM (SELECT age + 1 FROM customers) AS c", "a value that is made has a name"),
        ("SELECT c.* FROM purchases AS p LEFT JOIN customers AS c ON c.name = p.customer", "leave"),
    ],
)
def test_wrong_queries(text: str, said: str) -> None:
    assert said in refused(text)[0][1]


def test_ambiguous_columns_of_a_join_are_qualified() -> None:
    text = "SELECT count(*) FROM purchases AS a JOIN purchases AS b ON note = a.product"
    assert refused(text, Total) == [
        ("note", "note is ambiguous: a and b have one; write a.note"),
    ]
    good = "SELECT count(*) FROM purchases AS a JOIN purchases AS b ON a.product = b.product"
    assert answer(good, Total) == Total(5)


@pytest.mark.parametrize("result", [str, int, list[int], dict[str, int], Customer | Purchase])
def test_results_are_classes(result: Any) -> None:
    ((where, said),) = refused("SELECT * FROM customers", result)
    assert where == "SELECT"
    assert "is no result; declare a class" in said


def test_no_row_is_none_and_several_are_the_first() -> None:
    """VW-65, CX-16."""
    assert answer("SELECT * FROM customers WHERE age = 31") == ANN
    assert answer("SELECT * FROM customers WHERE age = 31 ORDER BY name DESC") == CID
    assert answer("SELECT * FROM customers WHERE age = 1") is None
    assert compiled("SELECT * FROM customers", Customer | None).optional
    assert not compiled("SELECT * FROM customers").optional
    assert answer("SELECT * AS customers FROM customers WHERE age = 1", Customers) == Customers([])
    found = answer("SELECT * FROM customers WHERE age = 1", AsyncIterator[Customer], streams=True)
    assert found == []


@dataclass
class Row:
    name: str
    home: Address | None
    city: str
    age: int
    level: str
    key: str
    credit: Decimal
    visits: list[datetime]
    extra: str = "none"


def test_fields_by_name_and_alias_nulls_as_zeros() -> None:
    """VW-64."""
    text = (
        "SELECT name, address AS home, address.city AS city, age, level, key, credit, visits "
        "FROM customers WHERE name = :n"
    )
    assert answer(text, Row, {"n": "Ann"}) == Row(
        "Ann", Address("Bern", "3000"), "Bern", 31, "gold", str(uuid(1)), Decimal("10.5"),
        [at(1), at(2)],
    )  # fmt: skip
    assert answer(text, Row, {"n": "Bob"}) == Row(
        "Bob", None, "", 17, "silver", str(uuid(2)), Decimal(-3), []
    )


class Since(msgspec.Struct):
    since: datetime


def test_a_null_that_its_field_has_no_value_for() -> None:
    text = "SELECT c.since FROM purchases AS p LEFT JOIN customers AS c ON c.name = p.note"
    assert "declare the field as ... | None" in refused(text, Since)[0][1]


class Echo(msgspec.Struct):
    name: str
    asked: int
    customers: list[Customer] = []


def test_arguments_are_given_back() -> None:
    """VW-52."""
    row = answer("SELECT name, :n AS asked FROM customers WHERE age < :n", Echo, {"n": 20})
    assert row == Echo("Bob", 20)
    wrapped = answer("SELECT * AS customers, :n AS asked, :name AS name FROM customers LIMIT 1",
                     Echo, {"n": 3, "name": "x"})  # fmt: skip
    assert wrapped == Echo("x", 3, [ANN])


class Spent(msgspec.Struct):
    name: str
    total: Decimal | None
    products: list[str]
    purchases: list[Purchase]


def test_lists_are_filled_by_a_join_and_empty_where_it_misses() -> None:
    """VW-43, VW-44."""
    text = """SELECT c.name, sum(p.amount) AS total, collect(distinct p.product) AS products,
              p.* AS purchases FROM customers AS c LEFT JOIN purchases AS p ON p.customer = c.name
              ORDER BY p.amount DESC"""
    ann, bob, cid = answer(text, Spent, streams=True)
    assert (ann.total, ann.products, len(ann.purchases)) == (Decimal("9.75"), ["ink", "pen"], 2)
    assert (bob.total, bob.products) == (Decimal("2.5"), ["pen"])
    assert (cid.total, cid.products, cid.purchases) == (None, [], [])


def test_what_differs_in_a_group_is_collected_or_grouped_by() -> None:
    said = "differs inside of a group; put it into GROUP BY, or collect it"
    for text in (
        "SELECT name, count(*) AS asked FROM customers",
        "SELECT name, age AS asked FROM customers GROUP BY age",
        "SELECT 'x' AS name, age AS asked FROM customers GROUP BY age ORDER BY name",
        "SELECT 'x' AS name, age AS asked FROM customers GROUP BY age HAVING name = 'x'",
        "SELECT DISTINCT 'x' AS name, age AS asked FROM customers ORDER BY customers.name",
    ):
        assert said in refused(text, Echo)[0][1]


def test_changes_are_of_one_table_row_by_row() -> None:
    query = compiled("SELECT * FROM customers WHERE age > 20", stream_updates=True)
    assert query.streams
    assert query.changes.startswith('SELECT "t1"."$subject", "t1"."$seq", coalesce(')
    for text, said in (
        ("SELECT c.* FROM customers AS c JOIN purchases AS p ON TRUE", "changes are of one table"),
        ("SELECT * FROM customers LIMIT 3", "changes have no end"),
    ):
        assert said in refused(text, stream_updates=True)[0][1]


def test_values_never_become_sql() -> None:
    evil = "'; DROP TABLE customers; --"
    query = compiled("SELECT * FROM customers WHERE name = 'x''y' AND age = 7 AND name = :n",
                     types={"n": str})  # fmt: skip
    assert not any(text in query.sqlite[0] for text in ("x'y", "7", "'"))
    assert answer("SELECT * FROM customers WHERE name = :n", Customer, {"n": evil}) is None
    assert names("name LIKE :n OR name ILIKE :n", {"n": evil}, n=str) == ""
    assert names("text_search(name, :n)", {"n": 'a" OR "b NEAR('}, n=str) == ""


def test_long_chains_and_deep_nests() -> None:
    many = " OR ".join(f"age = {one}" for one in range(200))
    assert names(many) == "ABC"
    for deep in (5, 10, 20, 40, 200, 2000):
        condition = "(age = 1 OR (vip AND " * deep + "vip" + "))" * deep
        text = f"SELECT * FROM customers WHERE {condition}"
        if deep > 10:
            assert "nested" in refused(text)[0][1]
        else:
            assert answer(text) == ANN
    assert (
        "500 conditions"
        in refused(f"SELECT * FROM customers WHERE {many} OR {many} OR {many}")[0][1]
    )
