"""A query that is ready to run: SQL for SQLite, its values, and how rows become the result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from actorkalix.viewsql.binding import Binding, bind
from actorkalix.viewsql.indexes import Index
from actorkalix.viewsql.output import Many, Output
from actorkalix.viewsql.paging import Key, behind
from actorkalix.viewsql.problems import Problem, SqlError
from actorkalix.viewsql.words import TextSearch

__all__ = ["Index", "Problem", "Query", "SqlError", "TextSearch"]


class Rows(msgspec.Struct, frozen=True):
    """The statement that finds rows or groups, in pieces: pages put a condition between.

    Attributes:
        head: up to where a condition for the page may stand.
        joint: what stands before that condition: WHERE, AND, HAVING.
        tail: behind it.
        keys: of the order; their values are the last cells of a row.
        grouped: None, or rows come in groups, each with so many cells of the group first.
        where: condition of all rows, where it is not in the head: it stands behind that of the
            page, for of two bounds of one column SQLite seeks by the first.
    """

    head: str
    joint: str
    tail: str
    keys: tuple[Key, ...]
    grouped: int | None = None
    where: str = ""

    def sql(self, last: list[Any] | None = None) -> tuple[str, ...]:
        """Statements, with `:limit` and `:offset`; the second has what comes behind the first's.

        Args:
            last: values of the keys of the row behind which the page begins; None for the first.
        """
        if last is None:
            where = f" WHERE {self.where}" if self.where else ""
            return (self.head + where + self.tail,)
        conditions = behind(self.keys, last)
        where = f" AND {self.where}" if self.where else ""
        return tuple(f"{self.head}{self.joint}{one}{where}{self.tail}" for one in conditions)


class Amount(msgspec.Struct, frozen=True):
    """A number of LIMIT or OFFSET: a constant, or an argument by the name of its binding."""

    number: int = 0
    key: str = ""

    def of(self, values: Mapping[str, Any]) -> int:
        """The number, given all values."""
        return int(values[self.key]) if self.key else self.number


class Wrapper(msgspec.Struct, frozen=True):
    """A result that holds rows in lists, and what is said about all of them.

    Attributes:
        lists: keys and outputs.
        summaries: keys and outputs over the one row of `totals`.
        arguments: keys and names of arguments that are given back.
        has_more: keys that say whether more rows come behind these.
        next_page: keys that hold the token of the next page.
        totals: a statement with one row over all that is found, LIMIT and OFFSET apart; or empty.
    """

    lists: tuple[tuple[str, Many], ...]
    summaries: tuple[tuple[str, Output], ...] = ()
    arguments: tuple[tuple[str, str], ...] = ()
    has_more: tuple[str, ...] = ()
    next_page: tuple[str, ...] = ()
    totals: str = ""


class Query(msgspec.Struct, frozen=True):
    """A query that is ready to run.

    Attributes:
        text: as written.
        tables: that it reads.
        indexes: that it needs.
        searches: text searches that it needs.
        bindings: values of its statements.
        result: type of the object that it returns, or of each that it streams.
        optional: no row is None, not an error.
        streams: objects come one by one.
        rows: the statement that finds rows.
        element: a row as an object; None when `wrapper` has the rows.
        wrapper: an object that holds all rows; None when each is one.
        whole: a row is one cell, the JSON of the result.
        limit: of rows; None for as many as a result of this form may have.
        offset: of rows.
        page: name of the parameter that holds the page's token; empty for none.
        mark: tells tokens of this query from those of others.
        many: the result is a list of what `element` makes.
        changes: of a query with `stream_updates`: SELECT of "$subject", "$seq", whether the row
            matches (0 or 1), then the cells of `element`, for changes above :after up to :upto, at
            most :limit; or empty.
    """

    text: str
    tables: frozenset[str]
    indexes: tuple[Index, ...]
    searches: tuple[TextSearch, ...]
    bindings: tuple[Binding, ...]
    result: Any
    optional: bool
    streams: bool
    rows: Rows
    element: Output | None
    wrapper: Wrapper | None
    whole: bool
    limit: Amount | None
    offset: Amount | None
    page: str
    mark: bytes
    changes: str = ""
    many: bool = False

    @property
    def sqlite(self) -> tuple[str, ...]:
        """Its statements, as they run for the first page."""
        totals = self.wrapper.totals if self.wrapper is not None else ""
        return tuple(one for one in (*self.rows.sql(), totals, self.changes) if one)

    def bind(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments as SQLite keeps them, with the query's own constants.

        Args:
            arguments: Python values by the names of parameters.

        Raises:
            InvalidPayload: one is missing or cannot be used; the message names it.
        """
        return bind(self.bindings, arguments)
