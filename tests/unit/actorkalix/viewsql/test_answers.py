"""Answers: one statement for one row, pages, streams, and what is too much."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest

from actorkalix.errors import InvalidPayload, NumberTooLarge, QueryTooLarge
from actorkalix.viewsql import answers
from actorkalix.viewsql.answers import Answer
from tests.unit.actorkalix.viewsql.tables import ANN, Customer, Purchase, Shop, answer, compiled


class Page(msgspec.Struct):
    customers: list[Customer]
    more: bool = False
    token: str = ""
    total: int = 0


class One(msgspec.Struct):
    count: int


class Grouped(msgspec.Struct):
    vip: bool
    names: list[str]


def crowded(query: Any, count: int) -> Shop:
    shop = Shop(query)
    for number in range(count - 3):
        name = f"n{number:05}"
        shop.put("customers", name, dataclasses.replace(ANN, name=name))
    return shop


def test_a_keyed_row_is_one_statement_and_its_json_as_it_lies() -> None:
    query = compiled("SELECT * FROM customers WHERE name = :n", types={"n": str})
    shop, found = Shop(query), Answer(query)
    assert query.whole
    assert found.run(shop.execute, {"n": "Ann"}) == ANN
    (stored,) = shop.connection.execute("SELECT \"$row\" FROM customers WHERE name = 'Ann'")
    assert found.json(shop.execute, {"n": "Ann"}) == stored[0].encode()
    assert found.json(shop.execute, {"n": "Zoe"}) is None
    assert len(shop.statements) == 3


def test_more_rows_than_a_list_takes_are_an_error() -> None:
    """VW-95: 1,000 in a collection, what LIMIT says, never more than `rows_max`."""
    query = compiled("SELECT * AS customers FROM customers", Page)
    assert len(Answer(query).run(crowded(query, 1_000).execute, {}).customers) == 1_000
    with pytest.raises(QueryTooLarge, match="more than 1,000 rows; give it a LIMIT"):
        Answer(query).run(crowded(query, 1_001).execute, {})
    query = compiled("SELECT * AS customers FROM customers LIMIT 2000", Page)
    shop = crowded(query, 1_500)
    assert len(Answer(query).run(shop.execute, {}).customers) == 1_500
    with pytest.raises(QueryTooLarge, match="more than 1,200 rows"):
        Answer(query).run(shop.execute, {}, rows_max=1_200)


def test_a_plain_list_holds_all_rows() -> None:
    query = compiled("SELECT * FROM customers ORDER BY name DESC", list[Customer])
    assert [one.name for one in Answer(query).run(Shop(query).execute, {})] == ["Cid", "Bob", "Ann"]
    assert len(Answer(query).run(crowded(query, 1_000).execute, {})) == 1_000
    with pytest.raises(QueryTooLarge, match="more than 1,000 rows"):
        Answer(query).run(crowded(query, 1_001).execute, {})


def test_lists_in_groups_have_the_same_bound() -> None:
    query = compiled("SELECT vip, name AS names FROM customers", Grouped, streams=True)
    assert [len(one.names) for one in Answer(query).run(crowded(query, 900).execute, {})] == [
        1,
        899,
    ]
    with pytest.raises(QueryTooLarge, match="more than 1,000 rows"):
        list(Answer(query).run(crowded(query, 1_100).execute, {}))
    with pytest.raises(QueryTooLarge, match="more than 50 rows"):
        list(Answer(query).run(crowded(query, 60).execute, {}, rows_max=50))


def test_a_page_has_100_rows_without_a_limit() -> None:
    text = (
        "SELECT * AS customers, has_more() AS more, next_page_token() AS token, "
        "total_count() AS total FROM customers OFFSET page_token_offset(:page)"
    )
    query = compiled(text, Page, {"page": str})
    shop, found = crowded(query, 250), Answer(query)
    sizes: list[int] = []
    token, more = "", True
    while more:
        page = found.run(shop.execute, {"page": token})
        sizes.append(len(page.customers))
        token, more = page.token, page.more
        assert page.total == 250
    assert sizes == [100, 100, 50]
    assert token == ""
    with pytest.raises(InvalidPayload, match="page: this is no page token"):
        found.run(shop.execute, {"page": "nonsense"})


def test_a_token_is_of_one_query() -> None:
    token = ""
    for column in ("name", "level"):
        text = (
            "SELECT * AS customers, next_page_token() AS token FROM customers "
            f"ORDER BY {column} LIMIT 1 OFFSET page_token_offset(:page)"
        )
        query = compiled(text, Page, {"page": str})
        if token:
            with pytest.raises(InvalidPayload):
                Answer(query).run(Shop(query).execute, {"page": token})
        else:
            token = Answer(query).run(Shop(query).execute, {"page": token}).token
            # Another process compiles the same query to the same mark.
            again = Answer(compiled(text, Page, {"page": str}))
            assert again.run(Shop(query).execute, {"page": token}).customers[0].name == "Bob"


def test_has_more_by_limit_alone_and_with_an_offset() -> None:
    """VW-48, VW-51."""
    text = (
        "SELECT * AS customers, has_more() AS more FROM customers ORDER BY name LIMIT 2 OFFSET :o"
    )
    for offset, more, count in ((0, True, 2), (1, False, 2), (2, False, 1), (9, False, 0)):
        page = answer(text, Page, {"o": offset})
        assert (page.more, len(page.customers)) == (more, count)
    assert answer("SELECT * AS customers FROM customers LIMIT 0", Page) == Page([])


def test_a_stream_is_read_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "VIEW_STREAM_ROWS", 10)
    query = compiled("SELECT * FROM customers ORDER BY age, name DESC", streams=True)
    shop = crowded(query, 35)
    pages = list(Answer(query).pages(shop.execute, {}))
    assert [len(page) for page in pages] == [10, 10, 10, 5]
    assert len(shop.statements) == 4
    names = [msgspec.json.decode(one, type=Customer).name for page in pages for one in page]
    assert len(set(names)) == 35
    # A row that comes while the stream is read, behind its place, is in it.
    reading = Answer(query).pages(shop.execute, {})
    next(reading)
    shop.put("customers", "last", dataclasses.replace(ANN, name="A", age=99))
    assert sum(len(page) for page in reading) == 26


def test_a_stream_ends_at_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "VIEW_STREAM_ROWS", 10)
    text = "SELECT * FROM customers ORDER BY name LIMIT :l OFFSET 2"
    query = compiled(text, types={"l": int}, streams=True)
    shop = crowded(query, 35)
    for limit, pages in ((0, []), (5, [5]), (10, [10]), (25, [10, 10, 5]), (99, [10, 10, 10, 3])):
        assert [len(one) for one in Answer(query).pages(shop.execute, {"l": limit})] == pages


def test_changes_tell_whether_a_row_matches() -> None:
    query = compiled("SELECT * FROM customers WHERE rating > 3", stream_updates=True)
    shop = Shop(query)
    values = query.bind({}) | {"after": 0, "upto": 9, "limit": 10}
    rows = list(shop.execute(query.changes, values))
    assert [(row[0], row[1], row[2]) for row in rows] == [
        ("Ann", 1, 1),
        ("Bob", 1, 0),
        ("Cid", 1, 0),
    ]
    assert msgspec.json.decode(Answer(query).change(rows[0]), type=Customer) == ANN
    assert list(shop.execute(query.changes, values | {"after": 1})) == []


def test_a_count_is_one_row_also_of_nothing() -> None:
    """VW-46."""
    assert answer("SELECT count(*) FROM customers", One) == One(3)
    assert answer("SELECT COUNT(*) FROM customers WHERE age > 99", One) == One(0)
    assert answer("SELECT count(distinct vip) AS count FROM customers", One) == One(2)


def test_a_number_out_of_range_is_an_error_not_a_wrong_answer() -> None:
    text = "SELECT 9223372036854775807 + age AS count FROM customers"
    with pytest.raises(NumberTooLarge, match="is beyond 64 bits"):
        answer(text, One)


class Mixed(msgspec.Struct, rename="camel"):
    first_name: str
    notes_of: list[Purchase]


def test_keys_of_json_are_those_of_the_class() -> None:
    text = (
        "SELECT c.name AS first_name, p.* AS notes_of FROM customers AS c "
        "JOIN purchases AS p ON p.customer = c.name WHERE c.name = 'Bob'"
    )
    query = compiled(text, Mixed)
    found = Answer(query).json(Shop(query).execute, {})
    assert found is not None
    assert list(msgspec.json.decode(found)) == ["firstName", "notesOf"]
