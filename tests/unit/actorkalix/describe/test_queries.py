"""Queries that are well: what the method declares and what its SQL becomes. Bad: tests/invalid."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TypedDict

import pytest

from actorkalix import DefinitionError, View, http, sql, table, topic
from actorkalix.describe import descriptor_of
from actorkalix.describe.descriptors import QueryDescriptor


@dataclass
class Row:
    id: str
    n: int


@dataclass
class Page:
    rows: list[Row]
    next_page: str


@dataclass
class Wanted:
    id: str
    n: int
    idle: int = 0


class Typed(TypedDict):
    id: str


class Rows(View, id="queries-rows"):
    rows = table("rows", source=topic("rows", Row))

    @sql("SELECT * FROM rows WHERE id = :id")
    @http.get("/rows/{id}")
    def one(self, id: str) -> Row:
        """The SQL is the body."""
        raise NotImplementedError

    @sql("SELECT * FROM rows WHERE id = :id AND n > :n")
    def wanted(self, wanted: Wanted) -> Row | None:
        raise NotImplementedError

    @sql("SELECT * FROM rows WHERE id = :id")
    def typed(self, wanted: Typed) -> Row | None:
        raise NotImplementedError

    @sql("SELECT * AS rows, next_page_token() AS next_page FROM rows OFFSET page_token_offset(:p)")
    def page(self, p: str = "") -> Page:
        raise NotImplementedError

    @sql("SELECT * FROM rows ORDER BY n LIMIT 5")
    def some(self) -> list[Row]:
        raise NotImplementedError

    @sql("SELECT * FROM rows")
    def all(self) -> AsyncIterator[Row]:
        raise NotImplementedError

    @sql("SELECT * FROM rows WHERE n > :n", stream_updates=True)
    def watch(self, n: int) -> AsyncIterator[Row]:
        raise NotImplementedError


def query(name: str) -> QueryDescriptor:
    view = descriptor_of(Rows).view
    assert view is not None
    return view.queries[name]


def test_queries_are_compiled() -> None:
    view = descriptor_of(Rows).view
    assert view is not None
    assert list(view.queries) == ["one", "wanted", "typed", "page", "some", "all", "watch"]
    assert [one.streams for one in view.queries.values()] == [False] * 5 + [True] * 2
    assert [one.stream_updates for one in view.queries.values()] == [False] * 6 + [True]
    assert query("one").query.optional is False
    assert query("wanted").query.optional is True
    assert query("watch").query.changes
    assert query("some").query.many
    assert query("one").handler.routes[0].path == "/rows/{id}"
    assert query("all").handler.reply is Row


def test_arguments_are_parameters_or_fields_of_the_one_object() -> None:
    """VW-62."""
    assert query("one").placeholders({"id": "x"}) == {"id": "x"}
    assert query("page").placeholders({"p": ""}) == {"p": ""}
    fields = {"id": "x", "n": 1, "idle": 0}
    assert query("wanted").placeholders({"wanted": Wanted("x", 1)}) == fields
    assert query("typed").placeholders({"wanted": {"id": "x"}}) == {"id": "x"}


def test_without_tables_queries_say_nothing() -> None:
    """One mistake is said once: what is wrong with a table is not wrong with each query too."""
    with pytest.raises(DefinitionError) as caught:
        broken()
    assert len(caught.value.problems) == 1


def broken() -> type[View]:
    class Broken(View, id="queries-broken"):
        rows = table("rows", source=topic("rows"))

        @sql("SELECT nothing FROM rows")
        def one(self) -> Row:
            raise NotImplementedError

    return Broken
