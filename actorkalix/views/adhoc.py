"""SQL of operators: one SELECT over the tables of views, and over live states copied for it.

A table of a view is read where it lies, read-only, under its own name: its columns, `subject`, and
the whole row as JSON in `row`; timestamps as ISO 8601 text, decimals as numbers (exact ones are in
`row`). Where two views have a table of one name, it is `<view>_<table>`. States of entities are in
`entities_<component>`: `entity_id`, `sequence_number`, a column for each field of the state, and
the whole of it as JSON in `state`. Dashes in names may be written as underscores.

What is not named in the statement is not read, and states are copied only where they are named.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, cast

import msgspec

from actorkalix.errors import InvalidPayload, QueryTooSlow, SqlRefused
from actorkalix.views.holding import Holding
from actorkalix.views.reading import FUNCTIONS, STEP
from actorkalix.viewsql.shapes import ColumnKind, TableShape
from actorkalix.viewsql.values import from_sqlite

VIEWS_MAX = 10  # files that SQLite opens beside its own
SQL_CHARS_MAX = 100_000
ENTITIES = "entities_"

_CONVERTED = frozenset((ColumnKind.TIMESTAMP, ColumnKind.DECIMAL, ColumnKind.BYTES))
_NOT_WORD = re.compile(r"\W")


class Table(msgspec.Struct, frozen=True):
    """A table of a view.

    Attributes:
        name: that statements use.
        uri: of the view's file.
        view: id of the view.
        shape: of its rows.
    """

    name: str
    uri: str
    view: str
    shape: TableShape


class State(msgspec.Struct, frozen=True):
    """The state of an entity, as JSON has it."""

    entity: str
    number: int
    state: Any


States = dict[str, tuple[Sequence[str], Sequence[State]]]
"""Names of fields, and states, by component."""


class Found(msgspec.Struct, frozen=True):
    """The answer to a statement; `more` when there are more rows than were wanted."""

    columns: list[str]
    rows: list[list[Any]]
    more: bool


def tables_of(views: Mapping[str, tuple[str, Iterable[TableShape]]]) -> list[Table]:
    """The tables of views under the names that statements use.

    Args:
        views: uri of the file, and shapes, by id of the view.
    """
    found = [
        (view, uri, shape) for view, (uri, shapes) in sorted(views.items()) for shape in shapes
    ]
    names = [shape.name.lower() for _, _, shape in found]
    return [
        Table(
            shape.name if names.count(shape.name.lower()) == 1 else f"{view}_{shape.name}",
            uri,
            view,
            shape,
        )
        for view, uri, shape in found
    ]


def entities_name(component: str) -> str:
    """The table with the states of a component."""
    return ENTITIES + component


def named(sql: str, names: Iterable[str]) -> list[str]:
    """Those of the names that the statement may mean, as they are or with underscores."""
    text = sql.lower()
    return [name for name in names if name.lower() in text or plain(name).lower() in text]


def plain(name: str) -> str:
    """The name with underscores for all that needs quotes."""
    return _NOT_WORD.sub("_", name)


def answer(
    sql: str,
    tables: Sequence[Table],
    states: Mapping[str, tuple[Sequence[str], Sequence[State]]],
    *,
    limit: int,
    timeout_s: float,
) -> Found:
    """Answer a statement; blocks.

    Args:
        sql: one SELECT.
        tables: of views, those that are named in it.
        states: names of fields, and states, by component.
        limit: rows at most.
        timeout_s: for all of it.

    Raises:
        SqlRefused: it is none, or names what is not there.
        QueryTooSlow: it took too long.
    """
    if len(sql) > SQL_CHARS_MAX:
        raise InvalidPayload(f"the statement has more than {SQL_CHARS_MAX:,} characters")
    until = time.monotonic() + timeout_s
    uris = list(dict.fromkeys(table.uri for table in tables))
    if len(uris) > VIEWS_MAX:
        raise SqlRefused(f"the statement names more than {VIEWS_MAX} views")
    try:
        with closing(sqlite3.connect(":memory:", uri=True, isolation_level=None)) as db:
            _functions(db)
            for number, uri in enumerate(uris):
                db.execute(f"ATTACH ? AS v{number}", (uri,))
            for table in tables:
                _show(db, table, f"v{uris.index(table.uri)}")
            for component, (fields, rows) in states.items():
                _copy(db, entities_name(component), fields, rows)
            return _run(db, sql, limit, until, Holding(uris))
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            raise QueryTooSlow(f"the statement took longer than {timeout_s:g} s") from None
        raise SqlRefused(str(error)) from None
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        raise SqlRefused(str(error)) from None


def _run(db: sqlite3.Connection, sql: str, limit: int, until: float, holding: Holding) -> Found:
    def ends() -> int:
        now = time.monotonic()
        return int(now > until or holding.harms(now))

    holding.begin(time.monotonic())
    db.execute("PRAGMA query_only = 1")
    db.set_authorizer(_authorized)
    db.set_progress_handler(ends, STEP)
    with closing(db.execute(sql)) as cursor:
        if cursor.description is None:
            raise SqlRefused("the statement is no SELECT")
        columns = [str(column[0]) for column in cursor.description]
        rows = cursor.fetchmany(limit + 1)
    return Found(
        columns, [[_shown(value) for value in row] for row in rows[:limit]], len(rows) > limit
    )


def _authorized(
    action: int, first: str | None, second: str | None, base: str | None, _: str | None
) -> int:
    if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE):
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _ALLOWED:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


# ---- tables -------------------------------------------------------------------------------
def _show(db: sqlite3.Connection, table: Table, schema: str) -> None:
    columns = ['"$subject" AS subject']
    for leaf in table.shape.leaves():
        column = _quoted(leaf.name)
        if leaf.kind in _CONVERTED:
            columns.append(f"ak_{leaf.kind.name.lower()}({column}) AS {column}")
        else:
            columns.append(column)
    columns.append('CAST("$row" AS TEXT) AS "row"')
    whence = f"{schema}.{_quoted(table.shape.name)}"
    for name in {table.name, plain(table.name)}:
        db.execute(f"CREATE TEMP VIEW {_quoted(name)} AS SELECT {', '.join(columns)} FROM {whence}")


def _copy(
    db: sqlite3.Connection, name: str, fields: Sequence[str], states: Sequence[State]
) -> None:
    known = dict.fromkeys(fields)
    for one in states:
        known.update(dict.fromkeys(_fields(one.state)))
    taken = {"entity_id", "sequence_number", "state"}
    keys: list[str] = []
    for key in known:
        if key.lower() not in taken:
            taken.add(key.lower())
            keys.append(key)
    columns = ["entity_id", "sequence_number", *keys, "state"]
    db.execute(f"CREATE TEMP TABLE {_quoted(name)}({', '.join(map(_quoted, columns))})")
    places = ", ".join("?" * len(columns))
    db.execute("BEGIN")
    db.executemany(
        f"INSERT INTO temp.{_quoted(name)} VALUES({places})",
        (
            (
                one.entity,
                one.number,
                *(_bound(_fields(one.state).get(key)) for key in keys),
                _json(one.state),
            )
            for one in states
        ),
    )
    db.execute("COMMIT")
    if plain(name) != name:
        db.execute(f"CREATE TEMP VIEW {_quoted(plain(name))} AS SELECT * FROM {_quoted(name)}")


def _fields(state: Any) -> Mapping[str, Any]:
    """What is in a state that is an object."""
    return cast("dict[str, Any]", state) if isinstance(state, dict) else {}


def _bound(value: Any) -> Any:
    """A value of JSON as SQLite takes it."""
    if value is None or isinstance(value, str | float):
        return value
    if isinstance(value, int):
        return int(value) if -(2**63) <= value < 2**63 else str(value)
    return _json(value)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _shown(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


# ---- values -------------------------------------------------------------------------------
def _timestamp(value: Any) -> Any:
    moment = from_sqlite(ColumnKind.TIMESTAMP, value)
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _decimal(value: Any) -> Any:
    number = from_sqlite(ColumnKind.DECIMAL, value)
    return None if number is None else float(number)


_VALUES: Mapping[str, Callable[[Any], Any]] = {
    "ak_timestamp": _timestamp,
    "ak_decimal": _decimal,
    "ak_bytes": _shown,
}
_ALLOWED = FUNCTIONS.union(_VALUES)


def _functions(db: sqlite3.Connection) -> None:
    for name, function in _VALUES.items():
        db.create_function(name, 1, function, deterministic=True)
