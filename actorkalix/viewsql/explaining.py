"""Where a query reads a whole table, told from what SQLite says of its plan."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from actorkalix.viewsql.query import Query

_SCAN = re.compile(r"SCAN (\S+)(.*)")
_NAMED = re.compile(r'"((?:[^"]|"")+)" AS "(t\d+)"')


def scanned(query: Query, statement: str, plan: Iterable[str]) -> tuple[str, ...]:
    """Tables that a statement reads from one end to the other, by their names.

    A scan that follows the index of an order and ends at a LIMIT is none.

    Args:
        query: whose statement it is.
        statement: one of `query.sqlite`.
        plan: what EXPLAIN QUERY PLAN says of it, the last cell of each row.
    """
    details = list(plan)
    sorts = any("TEMP B-TREE FOR ORDER BY" in one for one in details)
    ends = query.limit is not None or bool(query.page) or query.streams
    ordered = ends and not sorts and " WHERE " not in statement
    return tuple(dict.fromkeys(_scanned(query, statement, details, ordered)))


def _scanned(query: Query, statement: str, details: Iterable[str], ordered: bool) -> Iterator[str]:
    names: dict[str, str] = {}
    for table, alias in _NAMED.findall(statement):
        names.setdefault(alias, table.replace('""', '"'))
    for detail in details:
        match = _SCAN.match(detail)
        if match is None or "VIRTUAL TABLE" in detail:
            continue
        table = names.get(match[1], match[1])
        if table in query.tables and not (ordered and "USING" in match[2]):
            yield table
