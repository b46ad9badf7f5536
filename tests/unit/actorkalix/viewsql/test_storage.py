"""Rows in SQLite: what is put is there, what is removed is gone, and the searches with it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import TypedDict

from actorkalix.errors import NotEncodable
from actorkalix.viewsql.shapes import shape_of
from actorkalix.viewsql.storage import TableStorage, quoted, search_table
from actorkalix.viewsql.words import TextSearch


@dataclass(frozen=True)
class Address:
    city: str
    zip: int | None = None


@dataclass(frozen=True)
class Row:
    name: str
    price: Decimal = Decimal(0)
    home: Address | None = None
    tags: tuple[str, ...] = ()
    weight: float | None = None
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)


NAMES = TextSearch("rows", "name", "simple")
CITIES = TextSearch("rows", "home.city", "simple")
TAGS = TextSearch("rows", "tags", "simple")
SEARCHES = (NAMES, CITIES, TAGS, TextSearch("others", "name", "simple"))


class File:
    """A database with one table, and what runs its statements."""

    def __init__(self, storage: TableStorage) -> None:
        self.storage = storage
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        for statement in storage.create:
            self.connection.execute(statement)

    def put(self, subject: str, row: Any, seq: int = 1) -> None:
        for statement, parameters in self.storage.put(subject, row, seq):
            self.connection.execute(statement, parameters)

    def remove(self, subject: str) -> None:
        for statement, parameters in self.storage.remove(subject):
            self.connection.execute(statement, parameters)

    def all(self, columns: str = "*") -> list[Any]:
        return self.connection.execute(f"SELECT {columns} FROM rows ORDER BY 1").fetchall()

    def found(self, search: TextSearch, words: str) -> set[str]:
        name = quoted(search_table(search))
        rows = f"SELECT rowid FROM {name} WHERE {name} MATCH ?"
        query = " AND ".join(quoted(one) for one in words.split())
        text = f'SELECT "$subject" FROM rows WHERE "$id" IN ({rows})'
        return {one for (one,) in self.connection.execute(text, (query,))}


def storage(searches: tuple[TextSearch, ...] = SEARCHES) -> TableStorage:
    return TableStorage(shape_of("rows", Row), searches)


def test_a_row_lies_in_columns() -> None:
    file = File(storage(()))
    file.put("s1", Row("Pen", Decimal("1.50"), Address("Köln", 5), ("a",), 0.5), 7)
    found = file.all('"$subject", name, price, "home.city", "home.zip", tags, weight, at, "$seq"')
    at = 1_767_225_600_000_000
    assert found == [("s1", "Pen", "21000015", "Köln", 5, '["a"]', 0.5, at, 7)]
    kinds = file.all('typeof("$id"), typeof("$row"), json_extract("$row", \'$.home.city\')')
    assert kinds == [("integer", "text", "Köln")]


def test_a_row_comes_back_as_it_was() -> None:
    file = File(storage())
    row = Row("Pen", Decimal("1.50"), None, ("a", "b"), None)
    file.put("s1", row)
    [(text,)] = file.connection.execute(file.storage.select, ("s1",)).fetchall()
    assert file.storage.decode(text) == row
    assert file.all('"home.city", weight') == [(None, None)]


def test_a_row_is_replaced_where_it_is() -> None:
    """VW-02: one row a subject."""
    file = File(storage())
    for seq, subject in enumerate(("a", "b", "a")):
        file.put(subject, Row(f"n{seq}"), seq)
    assert file.all('"$subject", name, "$seq", "$id"') == [("a", "n2", 2, 1), ("b", "n1", 1, 2)]
    file.remove("a")
    file.remove("a")
    file.remove("nobody")
    assert file.all('"$subject"') == [("b",)]


def test_searches_follow_the_rows() -> None:
    """VW-39."""
    file = File(storage())
    file.put("a", Row("Red PEN", home=Address("Köln-Süd"), tags=("x y", "z")))
    file.put("b", Row("red ink", home=None))
    assert file.found(NAMES, "red") == {"a", "b"}
    assert file.found(NAMES, "pen red") == {"a"}
    assert (file.found(CITIES, "köln"), file.found(CITIES, "koln")) == ({"a"}, set())
    assert (file.found(TAGS, "z x"), file.found(TAGS, "b")) == ({"a"}, set())
    file.put("a", Row("Blue pen"))
    assert (file.found(NAMES, "red"), file.found(NAMES, "blue")) == ({"b"}, {"a"})
    assert file.found(CITIES, "köln") == set()
    file.remove("a")
    assert file.found(NAMES, "pen") == set()
    assert file.connection.execute(
        f"SELECT count(*) FROM {quoted(search_table(NAMES))}"
    ).fetchone() == (1,)


ROWS = st.builds(
    Row, st.text("ab ", max_size=5), home=st.none() | st.builds(Address, st.text("ab ", max_size=5))
)
ANY: Any = 3
STEPS = st.lists(st.tuples(st.sampled_from("xyz"), ROWS | st.none()), max_size=12)


@settings(max_examples=60)
@given(STEPS)
def test_searches_and_rows_are_in_step(steps: list[tuple[str, Row | None]]) -> None:
    """Whatever is put and removed, a search finds the rows that have the word, and no other."""
    file, kept = File(storage()), dict[str, Row]()
    for subject, row in steps:
        if row is None:
            file.remove(subject)
            kept.pop(subject, None)
        else:
            file.put(subject, row)
            kept[subject] = row
    for word in ("a", "b", "ab", "ba"):
        names = {one for one, row in kept.items() if word in row.name.split()}
        cities = {one for one, row in kept.items() if row.home and word in row.home.city.split()}
        assert (file.found(NAMES, word), file.found(CITIES, word)) == (names, cities)


def test_a_search_may_come_later() -> None:
    old = File(storage((NAMES,)))
    old.put("a", Row("pen", home=Address("Köln")))
    old.put("b", Row("ink"))
    there = [one for (one,) in old.connection.execute("SELECT name FROM sqlite_master")]
    new = storage((NAMES, CITIES))
    [missing] = new.missing(there)
    assert missing.name == search_table(CITIES)
    old.connection.execute(missing.create)
    for subject, value in old.connection.execute(missing.select).fetchall():
        for statement, parameters in missing.fill(subject, value):
            old.connection.execute(statement, parameters)
    assert old.found(CITIES, "köln") == {"a"}
    assert new.missing([*there, search_table(CITIES)]) == ()


def test_a_search_that_nobody_needs_goes() -> None:
    """Else it would be out of step with the rows when a query needs it again."""
    old = File(storage())
    old.put("a", Row("pen", home=Address("Köln")))
    names = "SELECT name FROM sqlite_master"
    there = [one for (one,) in old.connection.execute(names)]
    assert old.storage.idle(there) == ()
    new = storage((NAMES,))
    for statement in new.idle(there):
        old.connection.execute(statement)
    left = {one for (one,) in old.connection.execute(names)}
    assert {one for one in left if one.startswith("$search")} == {
        one for one in there if one.startswith(search_table(NAMES))
    }
    assert [one.name for one in storage().missing(left)] == [
        search_table(one) for one in (CITIES, TAGS)
    ]


def test_names_of_searches_are_apart() -> None:
    """A table's name may be the beginning of another's."""
    longer = TextSearch("rows name", "x", "simple")
    there = [search_table(longer), f"{search_table(longer)}_data"]
    assert storage(()).idle(there) == ()


class Words(TypedDict):
    text: str


def test_words_are_made_by_whoever_knows_them() -> None:
    seen: list[tuple[str, str]] = []

    def stems(text: str, language: str) -> str:
        seen.append((text, language))
        return "stem"

    search = TextSearch("rows", "text", "german")
    file = File(TableStorage(shape_of("rows", Words), (search,), stems))
    file.put("a", {"text": "Stämme"})
    assert seen == [("Stämme", "german")]
    assert file.found(search, "stem") == {"a"}


def test_rows_may_be_models() -> None:
    pydantic = pytest.importorskip("pydantic")
    inner = pydantic.create_model("Inner", city=(str, ...))
    outer = pydantic.create_model("Outer", id=(str, ...), home=(inner | None, None))
    made = TableStorage(shape_of("rows", outer))
    row = outer(id="x", home=inner(city="Ulm"))
    subject, text, *leaves = made.encode("s", row)
    assert (subject, leaves) == ("s", ["x", "Ulm"])
    assert made.decode(text) == row
    assert made.decode('{"id":"x","gone":1}') == outer(id="x")


@pytest.mark.parametrize(
    "row, said",
    [
        (
            Row(ANY),
            "row of rows: Expected `str`, got `int` - at `$.name`; it could",
        ),
        (Row("x", weight=float("nan")), "row of rows, weight: nan is no number"),
        (
            Row("x", at=datetime.fromisoformat("2026-01-01")),
            "row of rows, at: 2026-01-01 00:00",
        ),
        (Row("x", home=Address("x", 2**63)), "row of rows, home.zip: an integer has 64 bits"),
        (Row("x", price=Decimal("1E99999")), "row of rows, price: a decimal has an exponent"),
        (Row("\ud800"), "row of rows: "),
        (object(), "row of rows: "),
        (None, "row of rows: Expected `object`, got `null`"),
        (3, "row of rows: "),
    ],
)
def test_what_cannot_be_kept(row: Any, said: str) -> None:
    """VW-35, VW-12: refused before a statement has run."""
    file = File(storage())
    with pytest.raises(NotEncodable) as caught:
        file.put("s", row)
    assert str(caught.value).startswith(said)
    assert file.all() == []


def test_names_are_quoted() -> None:
    class Odd(TypedDict):
        order: str

    made = File(TableStorage(shape_of('ro"ws; DROP', Odd)))
    made.put("it's", {"order": "'; --"})
    [(text,)] = made.connection.execute(made.storage.select, ("it's",)).fetchall()
    assert made.storage.decode(text) == {"order": "'; --"}
    made.remove("it's")
    assert made.connection.execute(made.storage.select, ("it's",)).fetchall() == []
