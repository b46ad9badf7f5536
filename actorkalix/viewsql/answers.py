"""Runs a query over SQLite that is handed in, and makes the declared result of its rows.

Statements of one answer see one state of the file: whoever hands `execute` in runs them in one read
transaction, for each call of `json` or `run`, and for each page of a stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any

import msgspec

from actorkalix.describe.shapes import is_model
from actorkalix.errors import InvalidPayload, QueryTooLarge
from actorkalix.limits import (
    VIEW_COLLECTION_ROWS_MAX,
    VIEW_PAGE_ROWS,
    VIEW_STREAM_ROWS,
    Limits,
)
from actorkalix.viewsql.output import elements, maker
from actorkalix.viewsql.overflow import is_overflow, overflow_in
from actorkalix.viewsql.paging import bound, last_of, token_of
from actorkalix.viewsql.query import Query

Execute = Callable[[str, Mapping[str, Any]], Iterable[Sequence[Any]]]
"""Runs a statement with values for its `:names`; gives its rows."""

_ROWS_MAX = Limits().view_rows_max
_encode = msgspec.json.encode


class Answer:
    """Answers one query, any number of times, from any thread.

    Args:
        query: that it answers.
    """

    def __init__(self, query: Query) -> None:
        self.query = query
        self._decoder = msgspec.json.Decoder(query.result, dec_hook=_model)
        self._first = query.rows.sql()
        self._grouped = query.rows.grouped
        self._count = len(query.rows.keys)
        wrapper = query.wrapper
        self._make = maker(query.element, self._grouped) if query.element is not None else None
        self._lists = (
            [(key, elements(out, self._grouped)) for key, out in wrapper.lists]
            if wrapper is not None
            else []
        )
        self._summaries = (
            [(key, maker(out)) for key, out in wrapper.summaries] if wrapper is not None else []
        )

    def run(self, execute: Execute, arguments: Mapping[str, Any], rows_max: int = _ROWS_MAX) -> Any:
        """The result as the method declares it.

        Args:
            execute: runs a statement.
            arguments: Python values by the names of parameters.
            rows_max: rows that are read for one answer; no bound for a stream as a whole.

        Returns:
            The object, or None where no row was found; of a stream an iterator of objects, which
            calls `execute` once for each page.

        Raises:
            InvalidPayload: an argument cannot be used.
            QueryTooLarge: more rows were found than one answer may hold.
        """
        if self.query.streams:
            pages = self.pages(execute, arguments, rows_max)
            return (self.decode(one) for page in pages for one in page)
        found = self.json(execute, arguments, rows_max)
        return None if found is None else self.decode(found)

    def decode(self, text: bytes) -> Any:
        """An object of the declared result out of its JSON.

        Raises:
            InvalidPayload: a number that was computed is out of its type's range.
        """
        try:
            return self._decoder.decode(text)
        except msgspec.ValidationError as problem:
            raise InvalidPayload(f"the result does not fit its type: {problem}") from problem

    def json(
        self, execute: Execute, arguments: Mapping[str, Any], rows_max: int = _ROWS_MAX
    ) -> bytes | None:
        """The same as JSON, without decoding it; not for streams.

        Raises:
            InvalidPayload: an argument cannot be used.
            QueryTooLarge: more rows were found than one answer may hold.
            NumberTooLarge: a number that is computed is beyond its type.
        """
        try:
            return self._json(execute, arguments, rows_max)
        except Exception as error:  # of whatever runs the statements
            if is_overflow(error):
                raise overflow_in(self.query.text) from error
            raise

    def _json(self, execute: Execute, arguments: Mapping[str, Any], rows_max: int) -> bytes | None:
        if self.query.many:
            return self._all(execute, arguments, rows_max)
        values = self.query.bind(arguments)
        if self._lists:
            return self._wrapped(execute, arguments, values, rows_max)
        limit, offset = self.query.limit, self.query.offset
        values["limit"] = 1 if limit is None else min(1, limit.of(values))
        if offset is not None:
            values["offset"] = offset.of(values)
        rows = execute(self._first[0], values)
        for row in rows if self._grouped is None else self._units(rows, rows_max):
            return self._element(row)
        return None

    def pages(
        self, execute: Execute, arguments: Mapping[str, Any], rows_max: int = _ROWS_MAX
    ) -> Iterator[list[bytes]]:
        """A stream's objects as JSON, page by page; each begins behind the last row of the other.

        Raises:
            InvalidPayload: an argument cannot be used; when the first page is asked for.
            QueryTooLarge: the groups of one page have more rows than `rows_max`.
            NumberTooLarge: a number that is computed is beyond its type.
        """
        try:
            yield from self._pages(execute, arguments, rows_max)
        except Exception as error:  # of whatever runs the statements
            if is_overflow(error):
                raise overflow_in(self.query.text) from error
            raise

    def _pages(
        self, execute: Execute, arguments: Mapping[str, Any], rows_max: int
    ) -> Iterator[list[bytes]]:
        values = self.query.bind(arguments)
        limit, offset = self.query.limit, self.query.offset
        left = None if limit is None else limit.of(values)
        values["offset"] = 0 if offset is None else offset.of(values)
        last: list[Any] | None = None
        while left is None or left > 0:
            size = VIEW_STREAM_ROWS if left is None else min(left, VIEW_STREAM_ROWS)
            values["limit"] = size
            rows = list(self._found(execute, values, last, rows_max))
            if rows:
                yield [self._element(row) for row in rows]
            if len(rows) < size or not self._count:
                return
            last = self._last(rows[-1])
            values.update(bound(last))
            values["offset"] = 0
            left = None if left is None else left - size

    def _all(self, execute: Execute, arguments: Mapping[str, Any], rows_max: int) -> bytes:
        without = min(VIEW_COLLECTION_ROWS_MAX, rows_max)
        most = without if self.query.limit is None else rows_max
        found: list[bytes] = []
        for page in self.pages(execute, arguments, rows_max):
            found += page
            if len(found) > most:
                raise _too_many(most)
        return b"[" + b",".join(found) + b"]"

    def change(self, row: Sequence[Any]) -> bytes:
        """An object of `Query.changes`' rows as JSON.

        Args:
            row: of that statement, whole.
        """
        return self._element(row[3:])

    def _element(self, row: Any) -> bytes:
        if self.query.whole:
            whole: bytes | str = row[0]
            return whole.encode() if isinstance(whole, str) else whole
        assert self._make is not None
        return _encode(self._make(row))

    def _wrapped(
        self,
        execute: Execute,
        arguments: Mapping[str, Any],
        values: dict[str, Any],
        rows_max: int,
    ) -> bytes:
        query, wrapper = self.query, self.query.wrapper
        assert wrapper is not None
        ahead = bool(wrapper.has_more or wrapper.next_page)
        limit = self._limit(values, rows_max)
        values["limit"] = limit + (ahead or query.limit is None or limit == rows_max)
        values["offset"] = 0 if query.offset is None else query.offset.of(values)
        last = None
        if query.page:
            token = arguments[query.page] or ""
            last = last_of(token, query.mark, query.rows.keys, query.page)
            values.update(bound(last or ()))
        rows = list(self._found(execute, values, last, rows_max))
        more = len(rows) > limit
        if more and not ahead:
            raise _too_many(limit)
        rows = rows[:limit]
        found: dict[str, Any] = {key: make(rows) for key, make in self._lists}
        if wrapper.totals:
            totals = next(iter(execute(wrapper.totals, values)))
            found.update((key, make(totals)) for key, make in self._summaries)
        for key, name in wrapper.arguments:
            found[key] = arguments[name]
        for key in wrapper.has_more:
            found[key] = more
        for key in wrapper.next_page:
            found[key] = token_of(query.mark, self._last(rows[-1])) if more and rows else ""
        return _encode(found)

    def _limit(self, values: Mapping[str, Any], rows_max: int) -> int:
        limit = self.query.limit
        if limit is not None:
            return min(limit.of(values), rows_max)
        return VIEW_PAGE_ROWS if self.query.page else min(VIEW_COLLECTION_ROWS_MAX, rows_max)

    def _found(
        self, execute: Execute, values: dict[str, Any], last: list[Any] | None, rows_max: int
    ) -> Iterator[Any]:
        """Rows or groups of a page, in as many statements as it takes."""
        limit, count = values["limit"], 0
        for statement in self._first if last is None else self.query.rows.sql(last):
            values["limit"] = limit - count
            for unit in self._units(execute(statement, values), rows_max):
                count += 1
                yield unit
            if count == limit:
                return

    def _units(self, rows: Iterable[Sequence[Any]], rows_max: int) -> Iterator[Any]:
        """Rows, or groups of them."""
        if self._grouped is None:
            yield from rows
            return
        read = 0
        for _, group in groupby(rows, self._key):
            found = list(islice(group, VIEW_COLLECTION_ROWS_MAX + 1))
            read += len(found)
            if len(found) > VIEW_COLLECTION_ROWS_MAX:
                raise _too_many(VIEW_COLLECTION_ROWS_MAX)
            if read > rows_max:
                raise _too_many(rows_max)
            yield found

    def _key(self, row: Sequence[Any]) -> Sequence[Any]:
        return row[len(row) - self._count :]

    def _last(self, unit: Any) -> list[Any]:
        row = unit if self._grouped is None else unit[-1]
        return list(self._key(row))


def _too_many(most: int) -> QueryTooLarge:
    return QueryTooLarge(
        f"the query found more than {most:,} rows; give it a LIMIT, page it with "
        "page_token_offset(:page), or stream it"
    )


def _model(tp: type[Any], value: Any) -> Any:
    if is_model(tp):
        return tp.model_validate_json(msgspec.json.encode(value), extra="ignore")
    if isinstance(value, tp):
        return value
    raise ValueError(f"{tp.__name__} cannot be decoded")
