"""The counter service with a view of it: a table with two indexes and a text to search in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from actorkalix import RowEffect, Service, View, sql, table

from .service import Added, Counter

WORDS = ("red", "green", "blue", "small", "large", "round", "old", "new", "loud", "quiet")


@dataclass(frozen=True)
class Row:
    """What is known of a counter."""

    name: str
    total: int
    bucket: int
    text: str


@dataclass(frozen=True)
class Page:
    """Some of them."""

    rows: list[Row]
    next_page: str


class Rows(View, id="rows"):
    """A row for each counter."""

    @table("rows", source=Counter)
    def on_event(self, row: Row | None, event: Added) -> RowEffect[Row]:
        row = row or first_row(self.context.subject)
        return self.effects.update_row(replace(row, total=row.total + event.amount))

    @sql("SELECT * FROM rows WHERE name = :name")
    def by_name(self, name: str) -> Row:
        raise NotImplementedError

    @sql(
        "SELECT * AS rows, next_page_token() AS next_page FROM rows WHERE bucket >= :least "
        "ORDER BY bucket LIMIT 50 OFFSET page_token_offset(:page)"
    )
    def paged(self, least: int, page: str = "") -> Page:
        raise NotImplementedError


class Searched(View, id="searched"):
    """The same, to search in."""

    @table("texts", source=Counter)
    def on_event(self, row: Row | None, event: Added) -> RowEffect[Row]:
        row = row or first_row(self.context.subject)
        return self.effects.update_row(replace(row, total=row.total + event.amount))

    @sql(
        "SELECT * AS rows, next_page_token() AS next_page FROM texts "
        "WHERE text_search(text, :words) LIMIT 20 OFFSET page_token_offset(:page)"
    )
    def search(self, words: str, page: str = "") -> Page:
        raise NotImplementedError


def first_row(name: str) -> Row:
    """A counter's first row; its text has words that others have, and one that few have."""
    number = int(name[1:])
    words = (WORDS[number % 10], WORDS[number // 10 % 10], f"item{number // 20}")
    return Row(name, 0, number % 100, " ".join(words))


service = Service("bench", components=[Counter, Rows])
