"""What a query does in SQLite, for people: its statements, indexes and plan, and where it scans."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from actorkalix.sql.query import Query
from actorkalix.sql.storage import quoted

Plan = Callable[[str], Iterable[Sequence[Any]]]
"""Rows of EXPLAIN QUERY PLAN of a statement: id, parent, a number, detail."""

_SCAN = re.compile(r"SCAN (t\d+)\b(.*)")
_NAMED = re.compile(r'"((?:[^"]|"")+)" AS "(t\d+)"')


def explain(query: Query, plan: Plan | None = None) -> str:
    """A query in words.

    Args:
        query: compiled.
        plan: asks SQLite how it runs a statement; without it no plan is shown.

    Returns:
        Lines: the query, statements, indexes, text searches, plan, warnings.
    """
    return "\n".join(_lines(query, plan))


def scans(query: Query, plan: Plan) -> tuple[str, ...]:
    """Tables that a query reads from one end to the other, by their names.

    Args:
        query: compiled.
        plan: asks SQLite how it runs a statement.
    """
    found: dict[str, None] = {}
    for statement in query.sqlite:
        names = {alias: table for table, alias in reversed(_NAMED.findall(statement))}
        details = [str(row[3]) for row in plan(statement)]
        sorts = any("TEMP B-TREE FOR ORDER BY" in one for one in details)
        for detail in details:
            match = _SCAN.match(detail)
            if match is not None and match[1] in names and not _is_bounded(query, match[2], sorts):
                found[names[match[1]]] = None
    return tuple(found)


def _is_bounded(query: Query, how: str, sorts: bool) -> bool:
    """Whether a scan ends early: it follows the order's index, and all of its rows count."""
    ends = query.limit is not None or bool(query.page) or query.streams
    return "USING" in how and ends and not sorts and " WHERE " not in query.rows.head


def _lines(query: Query, plan: Plan | None) -> Iterator[str]:
    yield query.text.strip()
    yield "SQLite:"
    for statement in query.sqlite:
        yield f"  {statement}"
    if query.indexes:
        yield "indexes:"
        yield from (f"  {index.shown}" for index in query.indexes)
    if query.searches:
        yield "text searches:"
        yield from (f"  {one.table}({one.column}), {one.language}" for one in query.searches)
    if plan is None:
        return
    yield "plan:"
    for statement in query.sqlite:
        yield from _tree(list(plan(statement)))
    for table in scans(query, plan):
        yield (
            f"warning: all of {quoted(table)} is read; compare one of its columns with =, <, > or "
            "LIKE 'beginning%' to find rows by an index"
        )


def _tree(rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    depths: dict[Any, int] = {0: 0}
    for row in rows:
        depths[row[0]] = depth = depths.get(row[1], 0) + 1
        yield f"{'  ' * depth}{row[3]}"
